"""Scroll bars for terminals without Unicode."""

from __future__ import annotations

from typing import ClassVar

from textual.scrollbar import ScrollBar, ScrollBarRender


class PlainScrollBarRender(ScrollBarRender):
    """Whole cells only: no eighths of blocks at the ends."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


def spare_scrollbars() -> None:
    ScrollBar.renderer = PlainScrollBarRender
