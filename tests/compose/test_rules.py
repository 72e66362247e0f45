"""Each rule on a small file: what it says, what it offers, and where it keeps silent."""

from __future__ import annotations

from textwrap import dedent

import pytest

from wizard.compose.finding import Finding, Rule, Severity
from wizard.compose.review import RULES, finding_json, review
from wizard.compose.rewrite import prepare
from wizard.compose.setting import Setting


def of(rule: Rule, body: str, setting: Setting | None = None) -> list[Finding]:
    found = review("services:\n" + indented(body), setting)
    return [finding for finding in found.findings if finding.rule is rule]


def indented(body: str) -> str:
    """Services, and after a line of dashes what stands beside them."""
    services, _, rest = dedent(body).strip("\n").partition("\n---\n")
    return "".join(f"  {line}\n" if line else "\n" for line in services.split("\n")) + rest


def after(body: str, setting: Setting | None = None) -> str:
    return prepare("services:\n" + indented(body), setting).text


def test_every_rule_function_runs_on_a_file_of_nothing() -> None:
    assert RULES
    assert review("services: {}").findings == ()


def test_code_that_the_dockerfile_copies_is_a_mount_to_remove() -> None:
    body = """
        web:
          build: .
          volumes:
            - ./src:/app/src
    """
    setting = Setting(files={"Dockerfile": "FROM x\nCOPY package.json src/ \\\n  ./\n"})
    (found,) = of(Rule.CODE_MOUNT, body, setting)
    assert found.edits
    assert "Look first" not in found.advice
    assert "volumes" not in after(body, setting)


def test_code_that_the_dockerfile_does_not_copy_is_left_and_said() -> None:
    body = """
        web:
          build: .
          volumes: ["./src:/app/src"]
    """
    setting = Setting(files={"Dockerfile": "FROM x\nCOPY --from=y /src /src\nCOPY package.json .\n"})
    assert not of(Rule.CODE_MOUNT, body, setting)
    (found,) = of(Rule.CODE_ONLY_BY_MOUNT, body, setting)
    assert "Dockerfile, which does not copy ./src" in found.why
    assert "./src:/app/src" in after(body, setting)


def test_a_general_image_whose_code_is_mounted_is_left_and_said() -> None:
    (found,) = of(Rule.CODE_ONLY_BY_MOUNT, "web: {image: 'php:8', volumes: ['.:/var/www/html']}")
    assert "general" in found.why
    assert not found.edits


def test_data_of_one_folder_goes_into_one_volume_for_all_who_mount_it() -> None:
    text = after(
        """
        web:
          image: a:1
          volumes: ["./data:/data"]
        worker:
          image: a:1
          volumes:
            - ./data/:/srv/data:ro
            - ./data:/data
        ---
        name: shop
        """
    )
    assert text.count("web-data:/data") == 2
    assert "  web-data:\n    external: true\n    name: shop_web-data\n" in text
    assert text.count("external: true") == 1


def test_two_folders_of_one_name_never_share_a_volume() -> None:
    text = after("web: {image: 'a:1', volumes: ['./a/data:/data', './b/data:/more']}")
    assert "web-a-data:/data" in text
    assert "web-b-data:/more" in text


def test_a_volume_of_that_name_is_not_taken_over() -> None:
    body = """
        web:
          image: a:1
          volumes: ["./data:/data", "web-data:/other"]
        ---
        volumes:
          web-data:
    """
    assert "web-data-files:/data" in after(body)


def test_a_single_file_with_data_cannot_become_a_volume() -> None:
    (found,) = of(Rule.DATA_IN_CLONE, "web: {image: 'a:1', volumes: ['./app.db:/app.db']}")
    assert found.severity is Severity.DATA_LOSS
    assert not found.edits


@pytest.mark.parametrize("folder, source, silent", [
    ("", "../files/x:/data", True),
    ("backend/core", "../../../files/x:/data", True),
    ("backend/core", "../files/x:/data", False),
    (None, "../../files/x:/data", True),
])  # fmt: skip
def test_the_panels_file_mounts_lie_beside_the_clone(folder: str | None, source: str, silent: bool) -> None:
    body = f"web: {{image: 'a:1', volumes: ['{source}']}}"
    assert bool(of(Rule.DATA_IN_CLONE, body, Setting(folder=folder))) is not silent


def test_a_volume_is_declared_under_the_name_that_it_has_on_the_old_host() -> None:
    body = """
        db:
          image: postgres:16
          volumes: ["data:/var/lib/postgresql/data"]
        ---
        volumes:
          data:  # precious
    """
    assert "  data:  # precious\n    external: true\n    name: old_data\n" in after(
        body, Setting(project="old")
    )
    (found,) = of(Rule.DATA_VOLUME, body)
    assert "docker volume ls" in found.advice


def test_options_of_a_volume_say_where_data_is_and_are_never_dropped() -> None:
    body = """
        db: {image: 'x:1', volumes: ['data:/data']}
        ---
        volumes:
          data: {driver_opts: {type: none, o: bind, device: /srv/data}}
    """
    (found,) = of(Rule.DATA_VOLUME, body)
    assert not found.edits
    assert "device: /srv/data" in after(body)


@pytest.mark.parametrize("port, rule, severity, edited", [
    ("8080:80", Rule.PUBLISHED_PORT, Severity.EXPOSURE, True),
    ("127.0.0.1:8080:80", Rule.PUBLISHED_PORT, Severity.ADVICE, True),
    ("80:8080", Rule.PORT_TAKEN, Severity.MUST_FIX, True),
    ("127.0.0.1:3000:3000", Rule.PORT_TAKEN, Severity.MUST_FIX, True),
    ("400-500:400-500", Rule.PORT_TAKEN, Severity.MUST_FIX, True),
    ("${P:-443}:443", Rule.PORT_TAKEN, Severity.MUST_FIX, True),
    ("25:25", Rule.PUBLISHED_PORT, Severity.EXPOSURE, False),
    ("5000:5000/udp", Rule.PUBLISHED_PORT, Severity.EXPOSURE, False),
    ("[::]:81:81", Rule.PUBLISHED_PORT, Severity.EXPOSURE, True),
])  # fmt: skip
def test_ports(port: str, rule: Rule, severity: Severity, edited: bool) -> None:
    body = f"web: {{image: 'a:1', ports: ['{port}']}}"
    found = [*of(Rule.PUBLISHED_PORT, body), *of(Rule.PORT_TAKEN, body)]
    assert [(one.rule, one.severity, bool(one.edits)) for one in found] == [(rule, severity, edited)]
    assert (port in after(body)) is not edited


def test_only_the_web_ports_go_and_mail_stays() -> None:
    text = after("mail: {image: 'a:1', restart: always, ports: ['80:80', '25:25', '443:443']}")
    assert "ports: ['25:25']" in text


@pytest.mark.parametrize("name, value, secret", [
    ("DB_PASSWORD", "hunter2", True),
    ("PGPASSWORD", "hunter2", True),
    ("API_KEY", "${KEY:-abcdef}", True),
    ("SECRET_KEY", "${SECRET_KEY}", False),
    ("POSTGRES_PASSWORD_FILE", "/run/secrets/x", False),
    ("TOKEN_TTL", "3600", False),
    ("PASSWORD_MIN_LENGTH", "twelve", False),
    ("ACCESS_TOKEN_TTL", "15m", False),
    ("DATABASE_URL", "postgres://u:p4ss@db/x", True),
    ("DATABASE_URL", "postgres://u:${PASS}@db/x", False),
    ("ENABLE_PASSWORD", "true", False),
])  # fmt: skip
def test_secrets_are_found_and_never_shown(name: str, value: str, secret: bool) -> None:
    body = f"web: {{image: 'a:1', environment: {{{name}: '{value}'}}}}"
    found = of(Rule.SECRET_IN_FILE, body)
    assert bool(found) is secret
    hidden = ("hunter2", "abcdef", "p4ss")
    assert not any(word in str(finding_json(one)) for one in found for word in hidden)


def test_a_secret_moves_into_the_environment_with_todays_value() -> None:
    made = prepare("services:\n  db:\n    image: a:1\n    environment:\n      - POSTGRES_PASSWORD=hunter2\n")
    assert "- POSTGRES_PASSWORD=${POSTGRES_PASSWORD}\n" in made.text
    assert made.values == (("POSTGRES_PASSWORD", "hunter2"),)
    assert "hunter2" not in made.diff + repr(made)


def test_one_name_with_two_secrets_gets_two_variables() -> None:
    made = prepare(
        "services:\n  a: {image: 'a:1', environment: {PASSWORD: one1}}\n"
        "  b: {image: 'a:1', environment: {PASSWORD: two2}}\n"
        "  c: {image: 'a:1', environment: {PASSWORD: one1}}\n"
    )
    assert dict(made.values) == {"PASSWORD": "one1", "B_PASSWORD": "two2"}
    assert made.text.count('"${PASSWORD}"') == 2


def test_one_finding_for_a_container_that_owns_the_host_in_two_ways() -> None:
    body = "spy: {image: 'a:1', privileged: true, volumes: ['/:/host:ro', '/var/run/docker.sock:/s']}"
    (found,) = of(Rule.HOST_POWER, body)
    assert "privileged" in found.what and "socket" in found.what and "file system" in found.what


def test_container_names_that_others_call_are_said() -> None:
    body = """
        db: {image: 'a:1', container_name: shop-db}
        web: {image: 'a:1', environment: {URL: 'http://shop-db:5432/x'}}
    """
    (found,) = of(Rule.CONTAINER_NAME, body)
    assert "calls it shop-db: write db there" in found.advice


def test_several_env_files_become_one() -> None:
    body = """
        web:
          image: a:1
          env_file:
            - .env.common
            - path: ../secrets.env
            - path: ./maybe.env
              required: false
    """
    (found,) = of(Rule.ENV_FILE, body)
    assert ".env.common, ../secrets.env" in found.what
    text = after(body)
    assert "      - .env\n" in text
    assert "secrets.env" not in text
    assert "maybe.env" in text


def test_an_external_network_becomes_the_stacks_own_but_not_the_panels() -> None:
    body = """
        web: {image: 'a:1', networks: [proxy, dokploy-network]}
        ---
        networks:
          proxy:
            external: true
            name: traefik
          dokploy-network: {external: true}
    """
    (found,) = of(Rule.EXTERNAL_NETWORK, body)
    assert found.what == "traefik"
    assert "  proxy: {}\n  dokploy-network: {external: true}" in after(body)


@pytest.mark.parametrize("folder, context, outside", [
    ("backend/core", "../../", False),
    ("backend/core", "../../../", True),
    ("", "..", True),
    (None, "../..", False),
    (None, "/srv/app", True),
    ("", "https://github.com/a/b.git", False),
])  # fmt: skip
def test_build_contexts_outside_of_the_repository(folder: str | None, context: str, outside: bool) -> None:
    assert bool(of(Rule.BUILD_CONTEXT, f"web: {{build: '{context}'}}", Setting(folder=folder))) is outside


@pytest.mark.parametrize("image, floats", [
    ("nginx", True),
    ("nginx:latest", True),
    ("redis:alpine", True),
    ("registry:5000/a/b", True),
    ("postgres:16", False),
    ("a/b:${TAG}", False),
    ("a/b:${TAG:-latest}", True),
    ("${IMAGE:-a/b:1}", False),
    ("a@sha256:abc", False),
])  # fmt: skip
def test_images_that_mean_something_else_tomorrow(image: str, floats: bool) -> None:
    assert bool(of(Rule.FLOATING_IMAGE, f"web: {{image: '{image}'}}")) is floats


def test_a_floating_image_that_keeps_data_must_be_pinned() -> None:
    body = "db: {image: 'postgres', volumes: ['d:/data']}\n---\nvolumes: {d: {external: true}}"
    (found,) = of(Rule.FLOATING_IMAGE, body)
    assert found.severity is Severity.MUST_FIX


def test_what_is_made_to_end_is_never_told_to_restart() -> None:
    body = """
        web: {image: 'a:1', depends_on: {prepare: {condition: service_completed_successfully}}}
        prepare: {image: 'a:1'}
        db-migrate: {image: 'a:1'}
        once: {image: 'a:1', restart: "no"}
        task: {image: 'a:1', deploy: {restart_policy: {condition: none}}}
    """
    assert [one.service for one in of(Rule.NO_RESTART, body)] == ["web"]


def test_a_base_that_something_ending_extends_gets_no_restart_policy() -> None:
    body = """
        web:
          image: a:1
        migrate:
          extends: web
    """
    (found,) = of(Rule.NO_RESTART, body)
    assert not found.edits


def test_limits_are_summed_with_replicas_against_the_host() -> None:
    body = """
        web: {image: 'a:1', mem_limit: 1g, deploy: {replicas: 3}}
        db: {image: 'a:1', deploy: {resources: {limits: {memory: "${M:-512M}"}}}}
    """
    assert not of(Rule.MEMORY_OVER_HOST, body, Setting(memory_mb=8192))
    (found,) = of(Rule.MEMORY_OVER_HOST, body, Setting(memory_mb=4096))
    assert "3584 MB" in found.what
    assert not of(Rule.NO_MEMORY_LIMIT, body)


def test_variables_known_to_be_set_are_not_missing() -> None:
    body = "web: {image: 'a:1', environment: {A: '${A}', B: '${B:-x}', C: '${D:-${E}}'}}"
    (found,) = of(Rule.VARIABLES, body)
    assert found.what == "A, E"
    (found,) = of(Rule.VARIABLES, body, Setting(variables=frozenset({"A"})))
    assert (found.what, found.severity) == ("E", Severity.MUST_FIX)
    assert not of(Rule.VARIABLES, body, Setting(variables=frozenset({"A", "E"})))


def test_a_domain_must_lead_to_a_service_that_is_there() -> None:
    (found,) = of(Rule.DOMAIN_SERVICE, "web: {image: 'a:1'}", Setting(public=("api", "web")))
    assert found.what == "api"


def test_names_that_lead_nowhere() -> None:
    body = """
        web:
          image: a:1
          volumes: ["gone:/x"]
          networks: [lost]
          depends_on: {nobody: {condition: service_started}, maybe: {required: false}}
          links: ["missing:alias"]
    """
    assert {one.what for one in of(Rule.UNDEFINED, body)} == {
        "volume gone",
        "network lost",
        "service nobody",
        "service missing",
    }


def test_extended_files_are_read_where_they_are_there() -> None:
    body = "web: {extends: {file: base.yml, service: app}}"
    base = "services:\n  app: {image: 'a:1', restart: always, mem_limit: 1g}\n"
    (found,) = of(Rule.OTHER_FILE, body)
    assert "has not read" in found.why
    assert not of(Rule.NO_MEMORY_LIMIT, body)
    setting = Setting(files={"base.yml": base})
    assert not of(Rule.NO_RESTART, body, setting)
    assert not of(Rule.NO_MEMORY_LIMIT, body, setting)
    assert of(Rule.NO_HEALTH_CHECK, body, setting)


def test_of_an_address_only_the_password_moves() -> None:
    body = """
        web:
          image: a:1
          environment:
            DATABASE_URL: postgres://u:p4ss@${HOST:-db}:5432/x
            CACHE_URL: "redis://:other@cache/0"
    """
    made = prepare("services:\n" + indented(body))
    assert "DATABASE_URL: postgres://u:${DATABASE_PASSWORD}@${HOST:-db}:5432/x" in made.text
    assert 'CACHE_URL: "redis://:${CACHE_PASSWORD}@cache/0"' in made.text
    assert dict(made.values) == {"DATABASE_PASSWORD": "p4ss", "CACHE_PASSWORD": "other"}


def test_one_secret_by_itself_and_in_an_address_has_one_name() -> None:
    body = """
        web: {image: 'a:1', environment: ['URL=postgres://u:p4ss@db/x']}
        db: {image: 'a:1', environment: {POSTGRES_PASSWORD: p4ss}}
    """
    made = prepare("services:\n" + indented(body))
    assert "URL=postgres://u:${POSTGRES_PASSWORD}@db/x" in made.text
    assert dict(made.values) == {"POSTGRES_PASSWORD": "p4ss"}


@pytest.mark.parametrize("value", [
    "a=postgres://u:one@db/x b=postgres://u:two@db/x",
    "${URL:-postgres://u:p4ss@$DB/x}",
])  # fmt: skip
def test_an_address_that_is_not_plain_is_left_to_a_person(value: str) -> None:
    (found,) = of(Rule.SECRET_IN_FILE, f"web: {{image: 'a:1', environment: {{URL: '{value}'}}}}")
    assert not found.edits


def test_a_secret_never_takes_a_name_that_the_file_uses_for_something_else() -> None:
    body = """
        web: {image: 'a:1', environment: {DB_PASSWORD: hunter2, sonar.jdbc.password: hunter3}}
        job: {image: 'a:1', environment: {PASSWORD: '${DB_PASSWORD}'}}
        old: {image: 'a:1', environment: {A_TOKEN: '${TOKEN:-first}', B_TOKEN: '${TOKEN:-second}'}}
    """
    made = prepare("services:\n" + indented(body))
    assert 'DB_PASSWORD: "${WEB_DB_PASSWORD}"' in made.text
    assert 'sonar.jdbc.password: "${SONAR_JDBC_PASSWORD}"' in made.text
    assert "A_TOKEN: '${TOKEN}', B_TOKEN: '${TOKEN:-second}'" in made.text


@pytest.mark.parametrize("image, target, rule", [
    ("php:8.3-apache", "/var/www/html", Rule.CODE_ONLY_BY_MOUNT),
    ("nginx:1.27", "/usr/share/nginx/html", Rule.CODE_ONLY_BY_MOUNT),
    ("roundcube/roundcubemail:1.6", "/var/www/html", Rule.DATA_IN_CLONE),
    ("nextcloud:30", "/var/www/html", Rule.DATA_IN_CLONE),
])  # fmt: skip
def test_an_application_that_fills_its_folder_itself_keeps_data_there(
    image: str, target: str, rule: Rule
) -> None:
    assert of(rule, f"web: {{image: '{image}', volumes: ['./www:{target}']}}")


@pytest.mark.parametrize("target", ["/etc/otel.yml", "/var/run/docker.sock"])
def test_a_file_that_a_variable_names_becomes_no_volume(target: str) -> None:
    (found,) = of(Rule.VARIABLE_PATH, f"web: {{image: 'a:1', volumes: ['${{WHERE}}:{target}']}}")
    assert found.severity is Severity.MUST_FIX and not found.edits


@pytest.mark.parametrize("name", ["host", "bridge"])
def test_networks_that_every_host_has_are_no_finding(name: str) -> None:
    body = f"web: {{image: 'a:1', networks: [n]}}\n---\nnetworks: {{n: {{external: true, name: {name}}}}}"
    assert not of(Rule.EXTERNAL_NETWORK, body)


@pytest.mark.parametrize("value, secret", [
    ("smtp://127.0.0.1:25", False),
    ("https://abc@o1.ingest.example/1", False),
    ("mysql://u:p4ss@db/x", True),
    ("Server=db;Password=p4ss", True),
])  # fmt: skip
def test_a_dsn_is_a_secret_only_with_a_password_in_it(value: str, secret: bool) -> None:
    body = f"web: {{image: 'a:1', environment: {{MAILER_DSN: '{value}'}}}}"
    assert bool(of(Rule.SECRET_IN_FILE, body)) is secret
