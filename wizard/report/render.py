"""The report as Markdown, HTML or JSON. Everything is redacted on its way out."""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import groupby

from wizard.engine.events import jsonable
from wizard.redact import redact
from wizard.report.gather import Report
from wizard.report.templating import fill


class Form(StrEnum):
    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"


def render(report: Report, form: Form) -> str:
    """The whole report as text, ending with a newline."""
    if form is Form.JSON:
        return redact(json.dumps(jsonable(report), ensure_ascii=False, indent=2)) + "\n"
    filters = {"cell": _cell, "sections": _sections}
    return fill(f"report.{form.value}.jinja", {"report": report}, filters)


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table, or one line of a list: no bars, no markup, no line breaks."""
    for sign in "\\`*_[]<>#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("|", "\\|").split())


def _sections(lines: object) -> list[tuple[str, list[object]]]:
    """Neighbours of the same section together, in the order of the document."""
    return [(name, list(group)) for name, group in groupby(lines, key=lambda line: line.section)]  # type: ignore[call-overload]
