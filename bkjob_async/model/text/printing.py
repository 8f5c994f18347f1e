"""Make texts of the platform safe to print, and write long lists in short."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

# How many items of a long list are shown.
NAMED = 3


def printable(text: str) -> str:
    """Return *text* in one line without control characters.

    Names, tags and messages are written by users of the platform. Control characters, line breaks and marks
    that change the direction of writing become Python's escapes, so that they cannot control a terminal.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_of(items: Sequence[object]) -> str:
    """Return the first few of *items* by name, and how many more there are."""
    return first_of_many(items, len(items))


def first_of_many(items: Iterable[object], count: int) -> str:
    """Return the first few of *count* items by name, and how many more there are; no other is read."""
    more = count - NAMED
    named = ", ".join(str(item) for item in islice(items, NAMED))
    return f"{named} and {more} more" if more > 0 else named


def counted(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def all_targets(count: int) -> str:
    """Return what trouble with the platform as a whole is about."""
    return "the only target" if count == 1 else f"all {count} targets"


def tally(counts: Mapping[Any, int]) -> str:
    """Return counts by name, in the order of the names."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
