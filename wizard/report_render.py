"""The report as Markdown, HTML or JSON. Everything is redacted on its way out."""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import groupby

from wizard.engine.events import jsonable
from wizard.redact import redact
from wizard.report import Report


class Form(StrEnum):
    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"


def render(report: Report, form: Form) -> str:
    """The whole report as text, ending with a newline."""
    if form is Form.JSON:
        text = json.dumps(jsonable(report), ensure_ascii=False, indent=2)
    else:
        text = _template(report, form)
    return redact(text).rstrip() + "\n"


def _template(report: Report, form: Form) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("wizard", "templates"),
        autoescape=form is Form.HTML,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _cell
    environment.filters["sections"] = _sections
    return environment.get_template(f"report.{form.value}.jinja").render(report=report)


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table, or one line of a list: no bars, no markup, no line breaks."""
    for sign in "\\`*_[]<>#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("|", "\\|").split())


def _sections(lines: object) -> list[tuple[str, list[object]]]:
    """Neighbours of the same section together, in the order of the document."""
    return [(name, list(group)) for name, group in groupby(lines, key=lambda line: line.section)]  # type: ignore[call-overload]
