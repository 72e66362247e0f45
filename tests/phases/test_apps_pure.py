"""What the apps phase decides without asking anybody: causes, variables, commands, what differs."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from wizard.clients.s3 import Bucket
from wizard.compose.review import review
from wizard.config import App, AppKind, GitHost
from wizard.engine.check import CheckState
from wizard.engine.plan import Ask, Failed
from wizard.errors import WizardError
from wizard.phases.apps import wish as wishes
from wizard.phases.apps.cache import clear_command, flush_command, unsafe
from wizard.phases.apps.causes import cause
from wizard.phases.apps.compose import judged, pinned
from wizard.phases.apps.doorway import route_text
from wizard.phases.apps.git import clone_url
from wizard.phases.apps.redeploy import fresh_lines
from wizard.phases.apps.review import (
    ALL,
    EACH,
    LEAVE,
    MAKE,
    NOT_NOW,
    declined,
    edits_question,
    hold,
    reviewed,
)
from wizard.phases.apps.variables import looks_secret, panel_text, panel_values, used_variables
from wizard.phases.settle.rollback import lost_data

WEB = App("web", "frontend", AppKind.DOCKERFILE, "owner/shop", "main", ("shop.example",), 5173)
API = App(
    "api", "backend", AppKind.COMPOSE, "owner/shop", "main", ("api.shop.example",), 8000,
    service="api", compose_file="docker-compose.yml",
)  # fmt: skip
STACK = """services:
  api:
    image: ghcr.io/owner/api:latest
    ports: ["8000:8000"]
    volumes: [uploads:/data]
volumes:
  uploads:
    name: shop-uploads
"""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("toomanyrequests: You have reached your pull rate limit", "registry refuses"),
        ("ERROR: failed to solve: failed to read dockerfile: open Dockerfile: no such file", "Dockerfile"),
        ('failed to compute cache key: "/shared": not found', "context does not have"),
        ("FATAL ERROR: JavaScript heap out of memory", "out of memory"),
        ("git@github.com: Permission denied (publickey).", "may not read the repository"),
        ("fatal: Remote branch mian not found in upstream origin", "no such branch"),
        ('required variable "TOKEN" is missing a value: set it', "a variable has no value"),
        ('external volume "shop-data" not found', "does not exist"),
        ("Bind for 0.0.0.0:8000 failed: port is already allocated", "is taken"),
        ("dependency failed to start: container db is unhealthy", "did not become healthy"),
        ("write /var/lib/docker: no space left on device", "disk is full"),
        ("npm ERR! missing script: build", "build of the application"),
    ],
)
def test_a_log_names_its_cause_in_plain_words_with_a_way_on(line: str, why: str) -> None:
    log = "\n".join(["Cloning Repo: ✅", *(f"step {n}" for n in range(40)), line, "Error occurred ❌"])

    found = cause(log, "web")

    assert why in found.why
    assert line in found.lines
    assert found.ways


def test_only_what_passes_by_itself_is_tried_again() -> None:
    assert cause("429 Too Many Requests", "web").passing
    assert not cause("npm ERR! code 1", "web").passing


def test_an_unknown_failure_shows_the_last_lines() -> None:
    found = cause("\n".join(f"line {n}" for n in range(100)), "web")

    assert found.lines[-1] == "line 99"
    assert "no cause that is known" in found.why


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(0, 30), st.integers(1, 30))
def test_following_a_growing_log_shows_each_line_once(lines: list[str], cut: int, tail: int) -> None:
    lines = [f"{number} {line}" for number, line in enumerate(lines)]
    earlier, now = lines[:cut], lines

    shown = earlier[-tail:]

    assert fresh_lines(shown, now[-max(tail, len(now) - cut + 1) :]) == now[cut:]


_VALUES = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z0-9_]{0,12}", fullmatch=True),
    st.text(
        st.characters(codec="utf-8", exclude_characters="\r\0`", categories=("L", "N", "P", "S", "Zs", "Cc")),
        max_size=40,
    ),
    max_size=6,
)


@given(_VALUES)
@example({"PATH": "C:\\", "NAME": "it's"})
@example({"A": " # ", "B": "two\nlines", "C": '"'})
def test_the_panel_takes_values_back_unchanged(values: dict[str, str]) -> None:
    try:
        text = panel_text(values)
    except WizardError:
        # Nothing but a last backslash, which would hide a closing quote, is beyond that reader here.
        assert any(re.search(r"(?s)^(?=.*[#\n]|['\"\s]).*\\\Z", value) for value in values.values())
        return
    assert panel_values(text) == values


@pytest.mark.parametrize("value", ["'`\"", "#'`\\", "#\\"])
def test_a_value_that_the_panel_could_not_take_back_is_refused_by_name(value: str) -> None:
    with pytest.raises(WizardError, match="PLENTY") as refused:
        panel_text({"PLENTY": value})
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("STRIPE_API_KEY", "x", True),
        ("DATABASE_URL", "x", True),
        ("VITE_API_URL", "https://api.shop.example", False),
        ("PUBLIC_KEY_ID", "k1", False),
        ("VITE_GITHUB", "ghp_" + "a" * 36, True),
        ("BACKEND", "postgres://admin:hunter22@db/shop", True),
        ("THEME", "dark", False),
    ],
)
def test_secrets_are_told_by_name_and_by_value(name: str, value: str, secret: bool) -> None:
    assert looks_secret(name, value) is secret


def test_a_stack_names_the_variables_it_stops_without_and_those_that_become_empty() -> None:
    command = "${TOKEN:?needed} ${MODE} ${COMPOSE_PROJECT_NAME}"
    text = f"services:\n  api:\n    image: a:${{TAG:-1}}\n    command: {command}\n"

    assert used_variables(text) == (("TOKEN",), ("MODE",))


def test_what_the_panel_holds_is_compared_field_by_field() -> None:
    wished = {**wishes.git_wish(WEB, ""), **wishes.build_wish(WEB), **wishes.run_wish(WEB)}
    held = {**wished, "customGitBranch": "dev", "stopGracePeriodSwarm": "15000000000"}

    assert [one.field for one in wishes.differences(held, wished)] == ["customGitBranch"]


def test_an_application_is_replaced_only_by_a_healthy_one() -> None:
    wished = wishes.run_wish(WEB)

    assert wished["updateConfigSwarm"]["Order"] == "start-first"
    assert wished["updateConfigSwarm"]["FailureAction"] == "rollback"
    assert f"http://127.0.0.1:{WEB.port}{WEB.health}" in wished["healthCheckSwarm"]["Test"][1]


def test_a_private_repository_is_cloned_over_ssh_a_public_one_over_https() -> None:
    private = replace(WEB, private_repository=True)
    lab = replace(WEB, git_host=GitHost.GITLAB)

    assert clone_url(private) == "git@github.com:owner/shop.git"
    assert clone_url(lab) == "https://gitlab.com/owner/shop.git"


def test_images_without_a_version_are_kept_at_what_runs_today() -> None:
    digest = "ghcr.io/owner/api@sha256:" + "a" * 64

    made = judged(API, pinned(review(STACK), {"api": digest}), frozenset())

    assert yaml.safe_load(made.text)["services"]["api"]["image"] == digest
    assert made.volumes == ("shop-uploads",)
    assert not made.needs_clone and wishes.raw(made)


def test_a_declined_edit_is_left_out() -> None:
    found = review(STACK)
    declined = frozenset(finding.id for finding in found.findings)

    assert not judged(API, found, declined).changed


def told(answers: dict[str, str]) -> object:
    """What is asked next about STACK, or None."""
    return hold(answers, API, judged(API, review(STACK), declined(answers, API, review(STACK))))


def test_findings_are_made_or_left_one_by_one_each_with_its_own_diff() -> None:
    first = told({})
    assert isinstance(first, Ask) and [one.value for one in first.question.choices] == [ALL, EACH, NOT_NOW]
    assert told({first.question.id: ALL}) is None
    answers, seen = {first.question.id: EACH}, []
    while isinstance(asked := told(answers), Ask):
        seen.append(asked.question)
        answers[asked.question.id] = LEAVE if "published-port" in asked.question.text else MAKE

    assert len(seen) == len([finding for finding in review(STACK).findings if finding.edits]) > 1
    ports = next(one for one in seen if "published-port" in one.text)
    assert '-    ports: ["8000:8000"]' in ports.why, "the diff of this one alone"
    assert "external" not in ports.why
    made = judged(API, review(STACK), declined(answers, API, review(STACK)))
    assert "8000:8000" in made.text and "external: true" in made.text
    verdict = reviewed(answers, API, made, 0.0)
    assert verdict.ok and "left out: published-port:api" in verdict.evidence.seen


def test_leaving_out_what_loses_data_is_the_operators_word_not_a_passed_check() -> None:
    found = review(STACK)
    answers = {edits_question(API, judged(API, found, frozenset()).digest): EACH}
    while isinstance(asked := told(answers), Ask):
        answers[asked.question.id] = LEAVE

    verdict = reviewed(answers, API, judged(API, found, declined(answers, API, found)), 0.0)

    assert verdict.state is CheckState.WAIVED and "data-volume" in verdict.evidence.seen


def test_stopping_at_the_review_is_asked_again_the_next_time() -> None:
    first = told({})
    assert isinstance(first, Ask)

    stopped = told({first.question.id: NOT_NOW})

    assert isinstance(stopped, Failed) and stopped.answer == first.question.id


def test_a_file_that_builds_from_the_repository_is_laid_over_a_clone() -> None:
    text = STACK.replace("image: ghcr.io/owner/api:latest", "build: .")

    made = judged(API, review(text), frozenset())

    assert made.needs_clone and wishes.patched(made) and not wishes.raw(made)


def test_the_proxy_leads_deployments_to_the_panel_and_nothing_else() -> None:
    routes = yaml.safe_load(route_text("deploy-backend.shop.example"))["http"]["routers"]

    (route,) = routes.values()
    assert route["rule"] == "Host(`deploy-backend.shop.example`) && PathPrefix(`/api/deploy/`)"
    assert route["entryPoints"] == ["websecure"], "the secret in the address never goes in the clear"


def test_keys_of_sessions_and_queues_are_never_cleared() -> None:
    assert unsafe(["cache:", "user_profile:"]) == ()
    assert unsafe(["session:", "celery", "_kombu", "*", "a'b", "x"]) == (
        "session:",
        "celery",
        "_kombu",
        "*",
        "a'b",
        "x",
    )


def test_the_selective_command_clears_only_these_keys_whatever_is_in_their_names(tmp_path: Path) -> None:
    fake = tmp_path / "redis-cli"
    fake.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        f'--scan) echo "auth=$REDISCLI_AUTH" >> {tmp_path}/log\n'
        'printf "%s\\n" "cache:a b" "cache:\'q\'" ;;\n'
        f'UNLINK) shift; for key in "$@"; do printf "<%s>\\n" "$key" >> {tmp_path}/log; done ;;\n'
        "PING) echo PONG ;;\n"
        "esac\n"
    )
    fake.chmod(0o755)
    command = clear_command(["cache:"], ["DRAGONFLY_PASSWORD"])

    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DRAGONFLY_PASSWORD": "hidden"}
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text().splitlines() == ["auth=hidden", "<cache:a b>", "<cache:'q'>"]
    assert "hidden" not in command


def test_flushall_follows_the_stacks_own_command_in_words_that_the_panel_allows() -> None:
    own = "docker compose -p api-x1 -f docker-compose.yml up -d --build --remove-orphans"

    made = flush_command(own, "cache", ())

    assert made.startswith("compose -p api-x1 ")
    assert made.endswith("&& docker compose -p api-x1 -f docker-compose.yml exec -T cache redis-cli FLUSHALL")
    assert not set(made) & set(";|`$(){}<>\\")


def test_growing_and_shrinking_a_little_is_no_loss() -> None:
    before = {"users": 240, "drafts": 10, "empty": 0}

    assert lost_data(before, {"users": 239, "drafts": 12}) == ()
    assert lost_data(before, {"users": 3, "drafts": 10}) == ("users: 240 before, 3 after",)
    assert lost_data(before, {"users": 240}) == ("drafts: 10 before, 0 after",)


def test_an_address_is_signed_as_the_store_expects_it() -> None:
    # The vendor's own example: GET of test.txt, 24 May 2013, valid for a day.
    bucket = Bucket(
        "https://examplebucket.s3.amazonaws.com", "us-east-1", "",
        "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/" + "K7MDENG/bPxRfiCYEXAMPLEKEY",
    )  # fmt: skip

    url = bucket.signed("test.txt", 1369353600.0, 86400)

    assert url.endswith("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert "wJalr" not in repr(bucket)
