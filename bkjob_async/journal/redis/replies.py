"""Read what a server responds, value by value: what answers may be no Redis server, and what it has may be damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

from bkjob_async.errors import JournalDamaged, JournalError, JournalUnavailable
from bkjob_async.journal.redis.parser import LINE_COST

# Numbers are signed and have 64 bits.
MAX_NUMBER = (1 << 63) - 1
# Names of machines, and texts of errors, have so many letters at most.
MAX_TEXT = 300
# The id of an entry has two parts, milliseconds and a count; as one number it has so many bits of the count.
_ENTRY_BITS = 20


@contextmanager
def reading(shown: str) -> Iterator[None]:
    """Raise `JournalUnavailable` for a response of another shape than was asked for; *shown* names the journal in errors."""
    try:
        yield
    except JournalError as error:
        error.journal = error.journal or shown
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        text = f"what answers there is no Redis server: its response cannot be read ({type(error).__name__})"
    else:
        return
    raise JournalUnavailable(text, journal=shown)


def whole_number(value: Any) -> int:
    """Return a number, or the text of one; raise `JournalDamaged` for other text."""
    return checked_number(value if type(value) is int else int_of(data_of(value)))


def int_of(text: bytes) -> int:
    """Return the whole number that *text* is; raise `JournalDamaged`."""
    try:
        return int(text)
    except ValueError:
        raise JournalDamaged(f"{text!r:.40} is no whole number") from None


def checked_number(number: int) -> int:
    """Return *number*; raise `JournalDamaged` for one that no journal has."""
    if not 0 <= number <= MAX_NUMBER:
        raise JournalDamaged("a number is too large, or negative")
    return number


def seconds_of(value: Any) -> float:
    """Return the text of a time or duration as a number; raise `JournalDamaged`."""
    text = data_of(value)
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise JournalDamaged(f"{text!r:.40} is no time")
    return number


def data_of(value: Any) -> bytes:
    """Return bytes."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return value


def text_of(value: Any) -> str:
    """Return text; raise `JournalDamaged` where it is none, or longer than any that is stored."""
    try:
        text = data_of(value).decode()
    except UnicodeDecodeError:
        raise JournalDamaged("a name is no text") from None
    if len(text) > MAX_TEXT:
        raise JournalDamaged("a name is too long")
    return text


def list_of(value: Any) -> list[Any]:
    """Return a list."""
    if not isinstance(value, list | tuple):
        raise TypeError(type(value).__name__)
    return [*value]


def hash_of(value: Any) -> dict[bytes, bytes]:
    """Return the fields of a hash, however redis-py gives them."""
    words: Sequence[Any] = list_of(value) if not isinstance(value, dict) else []
    pairs = value.items() if isinstance(value, dict) else zip(words[::2], words[1::2], strict=True)
    return {data_of(name): data_of(field) for name, field in pairs}


def size_of(value: Any) -> int:
    """Return about how many bytes of memory a value takes."""
    return len(data_of(value)) + LINE_COST


def entry_id(number: int) -> str:
    """Return the id of an entry in its stream."""
    return f"{number >> _ENTRY_BITS}-{number & (1 << _ENTRY_BITS) - 1}"


def entry_number(entry: Any) -> int:
    """Return the number of the entry with this id: milliseconds and a count, as one."""
    milliseconds, _, count = data_of(entry).partition(b"-")
    return checked_number((int_of(milliseconds) << _ENTRY_BITS) + int_of(count))


def fields_of(row: Any) -> tuple[Any, Sequence[Any]]:
    """Return the id and the fields of an entry of a stream, as a list, however redis-py gives them."""
    number, fields = list_of(row)
    if isinstance(fields, dict):
        ((name, value),) = fields.items()
        return number, (name, value)
    return number, list_of(fields)
