"""Help for the cutover."""

from __future__ import annotations

from screens.help import HelpPage

HELP = HelpPage(
    "The cutover",
    "Each row is a record set that moves, each sign the answer of one resolver: the new values, the old "
    "ones, or neither. Resolvers keep an answer until its TTL runs out; they are asked again at "
    "that moment, not by the clock.",
    (
        ("f", "flip, when every line of the list before it says go; NO-GO says why not"),
        ("b", "back: the old records again, at once; shows first when the world would be back"),
        ("arrows", "from cell to cell; its resolver is told below"),
        ("1 to 5", "curve, next flips, authoritative servers, certificates, web"),
        ("v", "ask again now"),
        ("p", "pause: no further change begins; the watch goes on"),
    ),
    (
        (
            "When is it over?",
            "At the end of the curve: the last moment at which a well-behaved cache can hold an old value. "
            "Until then the old host goes on serving, so late visitors notice nothing.",
        ),
        (
            "What does neither mean?",
            "The answer is neither what was recorded before the flip nor what is planned. Somebody else "
            "changed the zone, or the resolver rewrites answers; the cell's line names what it said.",
        ),
        (
            "How do I get back?",
            "b puts the old records back in one call for each set of records. Caches that hold new values "
            "let go of them within one TTL; both places serve meanwhile.",
        ),
        (
            "Why does the share go back a little?",
            "Several caches can stand behind one address and answer in turn; they are told apart by the "
            "moment at which they expire, and each is counted.",
        ),
    ),
)
