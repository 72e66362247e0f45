"""One theme: a dark page, one accent, and the colours of states."""

from __future__ import annotations

from textual.theme import Theme

NIGHT = Theme(
    name="wizard-night",
    primary="#7aa2f7",
    secondary="#9aa5ce",
    accent="#e0af68",
    foreground="#c8d0e0",
    background="#12151c",
    surface="#171b24",
    panel="#212736",
    success="#7fc98f",
    warning="#e0af68",
    error="#f07585",
    dark=True,
    variables={
        "border": "#2c3446",
        "border-blurred": "#2c3446",
        "scrollbar": "#2c3446",
        "scrollbar-hover": "#3b4560",
        "scrollbar-active": "#7aa2f7",
        "scrollbar-background": "#12151c",
        "scrollbar-background-hover": "#12151c",
        "scrollbar-background-active": "#12151c",
        "block-cursor-background": "#2a3450",
    },
)

DAY = Theme(
    name="wizard-day",
    primary="#2f5fc4",
    secondary="#56607a",
    accent="#96620b",
    foreground="#222836",
    background="#f7f7f4",
    surface="#eeeeea",
    panel="#e2e3de",
    success="#23753c",
    warning="#96620b",
    error="#b3263b",
    dark=False,
    variables={"border": "#cfd1c9", "block-cursor-background": "#d5dff5"},
)

THEMES = (NIGHT, DAY)
