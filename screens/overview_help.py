"""Help for the overview."""

from __future__ import annotations

from screens.help import HelpPage

HELP = HelpPage(
    "The overview",
    "Left, the phases and their steps with their states. Right, one step: what it will change, what it says, "
    "and the checks that prove it. Nothing is changed before you have seen its plan and applied it.",
    (
        ("enter, a", "apply the plan that waits, or answer the question"),
        ("A", "apply this plan and all later ones of the phase that can be undone"),
        ("x", "not now: the run stops at this step"),
        ("v", "ask the outside again, now"),
        ("u", "take the selected step (or phase) back; its plan is shown first"),
        ("n", "go to the next step that needs you"),
        (".", "follow what happens"),
        ("p", "pause: no further change begins; again: go on"),
        ("g", "run again from where it stands"),
        ("1 2 3", "plan, output, checks; Enter on a check shows its evidence"),
        ("/", "search the output; f and F go from find to find"),
        ("space", "open or close a phase"),
    ),
    (
        (
            "What do the signs of a step mean?",
            "✓ done and proven · ● running · ◷ waiting for a moment · ▲ needs you · ✗ failed · ↺ undone · "
            "– skipped · a red ! marks a point of no return that is still ahead.",
        ),
        (
            "What do the signs of a change mean?",
            "+ create · ~ update · % replace · - delete · > run · ? ask.",
        ),
        (
            "What if the connection drops, or this machine dies?",
            "Start the wizard again. Long work goes on by itself on the hosts; whatever was begun is "
            "looked at outside and then adopted or repeated, nothing twice.",
        ),
        (
            "What does the remaining time mean?",
            "It runs to the last moment that is known to be waited for, such as a cache's expiry. "
            "Work whose length nobody knows is not in it.",
        ),
    ),
)
