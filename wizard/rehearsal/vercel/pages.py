"""How the rehearsal's Vercel cuts lists into pages: by a moment, by a token, or by number."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from aiohttp import web

from wizard.rehearsal.vercel.state import Document

USUAL, MOST = 20, 100


def size_of(request: web.Request) -> int:
    return max(1, min(int(request.query.get("limit", USUAL)), MOST))


def by_moment(
    request: web.Request, key: str, rows: Sequence[Document], moment: str = "createdAt"
) -> Document:
    """The newest first; the next page holds what is older than `until`."""
    ordered = sorted(rows, key=lambda row: -int(row[moment] or 0))
    if until := request.query.get("until"):
        ordered = [row for row in ordered if int(row[moment]) < int(until)]
    size = size_of(request)
    page = ordered[:size]
    more = len(ordered) > size
    # Rows of one moment stay together: a page that ended between them would lose the rest.
    while more and len(page) < len(ordered) and ordered[len(page)][moment] == page[-1][moment]:
        page.append(ordered[len(page)])
    more = len(page) < len(ordered)
    pagination = {
        "count": len(page),
        "next": int(page[-1][moment]) if more else None,
        "prev": int(page[0][moment]) if page else None,
    }
    return {key: page, "pagination": pagination}


def by_token(request: web.Request, key: str, rows: Sequence[Document]) -> Document:
    """The next page begins where the token says; nobody can read it."""
    start = 0
    if token := request.query.get("from"):
        padded = token + "=" * (-len(token) % 8)
        start = int(base64.b32decode(padded).decode().removeprefix("after:"))
    end = start + size_of(request)
    following = base64.b32encode(f"after:{end}".encode()).decode().rstrip("=") if end < len(rows) else None
    page = list(rows[start:end])
    return {key: page, "pagination": {"count": len(page), "next": following}}


def by_number(request: web.Request, key: str, rows: Sequence[Document]) -> Document:
    """Pages have numbers, from 1."""
    page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 50))
    pages = max(1, -(-len(rows) // size))
    shown = list(rows[(page - 1) * size : page * size])
    return {key: shown, "pagination": {"page": page, "per_page": size, "numPages": pages}}
