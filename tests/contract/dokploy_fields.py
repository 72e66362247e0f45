"""The fields of a panel's changes as `wizard/rehearsal/panels/fields.json` writes them, from its description.

Run as a program, it prints that file anew: ``python -m tests.contract.dokploy_fields > FILE``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from tests.shared import shared_dir
from wizard.rehearsal.panels.procedures import PROCEDURES, load

_LETTERS = {
    "string": "s", "number": "n", "integer": "i", "boolean": "b", "array": "a", "object": "o", "null": "?"
}  # fmt: skip


def word(schema: Mapping[str, Any]) -> str:
    """``s1(a|b)?``: a string of at least one letter, one of two, or null. ``*`` is anything."""
    if "anyOf" in schema:
        parts = [word(part) for part in schema["anyOf"]]
        kinds = "".join(dict.fromkeys(part.rstrip("?") for part in parts))
        return kinds + "?" * any("?" in part for part in parts)
    if "const" in schema:
        return _LETTERS[str(schema["type"])]
    if "type" not in schema:
        return "*"
    letter = _LETTERS[str(schema["type"])]
    if "enum" in schema:
        return f"{letter}({'|'.join(schema['enum'])})"
    return letter + "1" * (schema.get("minLength", 0) > 0)


def table(description: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """By procedure and field, for every change that the stand-in answers."""
    load()
    found = {}
    for name in sorted(PROCEDURES):
        operation = description["paths"].get(f"/{name}", {}).get("post")
        if operation is None:
            continue
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        fields = content.get("schema", {}).get("properties", {})
        found[name] = {field: word(schema) for field, schema in sorted(fields.items())}
    return found


def text(fields: Mapping[str, Mapping[str, str]]) -> str:
    """One line for each procedure."""
    lines = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in fields.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.stdout.write(text(table(json.loads((shared_dir() / "vendor" / "dokploy.json").read_text()))))
