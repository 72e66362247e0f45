"""A stack in several files or documents is reviewed as compose lays it together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compose.oracle import complaint
from wizard.compose.files import read_file, setting_of
from wizard.compose.finding import Finding, Rule
from wizard.compose.review import Review, review
from wizard.compose.rewrite import rewrite
from wizard.compose.setting import Setting

MAIN = """\
include:
  - sub/db.yml
  - path: [cache.yml, cache.prod.yml]
    project_directory: sub
services:
  web:
    image: web:1
    depends_on: [db, cache]
    volumes: [files:/files]
    ports: ['8080:80']
"""
DB = """\
services:
  db:
    image: postgres
    volumes: [./data:/var/lib/postgresql/data]
    networks: [back]
volumes:
  files: {external: true}
networks:
  back: {}
"""
FILES = {
    "docker-compose.yml": MAIN,
    "sub/db.yml": DB,
    "cache.yml": "services:\n  cache: {image: 'redis:7', restart: always}\n",
    "cache.prod.yml": "services:\n  cache: {mem_limit: 1g, volumes: ['./dump:/data']}\n",
}


def reviewed(folder: Path, files: dict[str, str]) -> Review:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    path = folder / "docker-compose.yml"
    return review(read_file(path), setting_of(path))


def of(found: Review, rule: Rule) -> list[Finding]:
    return [finding for finding in found.findings if finding.rule is rule]


def test_included_files_are_reviewed_each_finding_with_its_file(tmp_path: Path) -> None:
    found = reviewed(tmp_path, FILES)
    assert found.services == ("web", "db", "cache")
    data = {finding.file: finding for finding in of(found, Rule.DATA_IN_CLONE)}
    assert set(data) == {"sub/db.yml", "cache.prod.yml"}
    assert (data["sub/db.yml"].service, data["sub/db.yml"].line) == ("db", 4)
    assert "compose sub/db.yml --write OUT" in data["sub/db.yml"].advice
    assert not [finding for finding in found.findings if finding.file and finding.edits]
    assert not of(found, Rule.UNDEFINED) and not of(found, Rule.NO_IMAGE) and not of(found, Rule.REFUSED)


def test_the_include_stays_and_compose_takes_what_is_written(tmp_path: Path) -> None:
    found = reviewed(tmp_path, FILES)
    made = rewrite(found)
    assert made.text.startswith(MAIN[: MAIN.index("services:")])
    assert "ports" not in made.text
    assert complaint(tmp_path, made.text) == ""


@pytest.mark.parametrize("file, text, says", [
    ("sub/db.yml", "services:\n  db: {image: 'a:1'}\n  web: {image: 'a:1'}\n", "a service of this name too"),
    ("sub/db.yml", "services: [", "cannot be read"),
    ("sub/db.yml", "include: [../docker-compose.yml]\n", "includes itself"),
    ("cache.yml", None, "is not there"),
])  # fmt: skip
def test_parts_that_compose_refuses(tmp_path: Path, file: str, text: str | None, says: str) -> None:
    files = {name: body for name, body in FILES.items() if name != file}
    found = reviewed(tmp_path, {**files, file: text} if text is not None else files)
    assert complaint(tmp_path, MAIN)
    assert any(says in finding.why for finding in of(found, Rule.REFUSED))


def test_without_the_included_files_nothing_is_called_undefined() -> None:
    found = review(MAIN)
    assert not of(found, Rule.UNDEFINED)
    (told,) = of(found, Rule.OTHER_FILE)
    assert "Not there to be reviewed: sub/db.yml, cache.yml, cache.prod.yml" in told.why


def test_a_domain_cannot_lead_to_a_service_of_an_included_file() -> None:
    files = {name: text for name, text in FILES.items() if name != "docker-compose.yml"}
    (found,) = of(review(MAIN, Setting(files=files, public=("db",))), Rule.DOMAIN_SERVICE)
    assert "included file" in found.why
    assert not of(review(MAIN, Setting(files=files, public=("web",))), Rule.DOMAIN_SERVICE)


def test_documents_are_laid_over_each_other_and_the_panel_refuses_them(tmp_path: Path) -> None:
    text = (
        "services:\n  web:\n    image: nginx\n    container_name: web\n"
        "---\nservices:\n  web:\n    image: nginx:1.27\n    ports: ['8080:80']\n  db: {image: 'a:1'}\n"
    )
    found = review(text)
    assert found.services == ("web", "db")
    (told,) = of(found, Rule.SEVERAL_DOCUMENTS)
    assert told.line == 6
    made = rewrite(found)
    assert "container_name" not in made.text and "ports" not in made.text
    assert "---" in made.text
    assert complaint(tmp_path, made.text) == ""
