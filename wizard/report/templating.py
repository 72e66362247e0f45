"""Templates of wizard/templates, filled in and redacted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wizard.redact import redact


def fill(
    name: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """The template `name` with `values`, ending with one newline. HTML is escaped, Markdown is not.

    A name that the template uses and `values` lacks raises jinja2.UndefinedError.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("wizard", "templates"),
        autoescape=".html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(filters or {})
    return redact(environment.get_template(name).render(**values)).rstrip() + "\n"
