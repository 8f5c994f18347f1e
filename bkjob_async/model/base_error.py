"""The base of every error of this package, those for wrong calls, and checks that raise them; `errors` draws the whole tree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args

from bkjob_async.model.text.printing import printable


class BkJobError(Exception):
    """The base of every error of this package."""

    advice: str = ""

    def __str__(self) -> str:
        return printable(super().__str__())


class UsageError(BkJobError):
    """The call itself makes no sense; nothing was sent."""


class WrongType(UsageError, TypeError):
    """An argument is of another type; callers may expect the built-in error."""


class WrongValue(UsageError, ValueError):
    """An argument has a value that it cannot have; callers may expect the built-in error."""


C = TypeVar("C", bound=str)

# How messages call the types that an argument may have; classes of this package are called by their names.
_TYPES: Mapping[object, str] = {
    str: "text (str)",
    int: "a whole number (int)",
    float: "a number",
    bool: "True or False",
    bytes: "bytes",
    Mapping: "a mapping (dict)",
    NoneType: "None",
}


# The types that options have, and an example of each.
OptionTypes = Mapping[str, tuple[type | UnionType, str]]


def check_type(name: str, value: object, kinds: type | UnionType, example: str = "") -> None:
    """Raise `WrongType` unless *value* is of one of *kinds*; a bool is no number.

    *name* is that of the argument, *example* shows how one is written. The value is not shown: it may be a secret.
    """
    taken: tuple[Any, ...] = get_args(kinds) or (kinds,)
    classes = (*taken, int) if float in taken else taken
    if isinstance(value, classes) and (not isinstance(value, bool) or bool in taken):
        return
    what = " or ".join(_TYPES.get(each, each.__name__) for each in taken)
    raise WrongType(f"{name} must be {what}, not {kind_of(value)}{f': {example}' if example else ''}")


def check_options(options: OptionTypes, **given: object) -> None:
    """Raise `WrongType` for one that is given, not None, and of another type than *options* say."""
    for name, value in given.items():
        kinds, example = options[name]
        if value is not None:
            check_type(name, value, kinds, example)


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise `WrongValue` unless *value* is one of *choices*."""
    if value not in choices:
        raise WrongValue(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r:.60}")


def check_number(
    name: str, value: object, least: float, most: float = inf, *, whole: bool = True, above: bool = False
) -> None:
    """Raise `UsageError` unless *value* is a number from *least* to *most*, or *above* the least."""
    check_type(name, value, int if whole else float)
    number: Any = value
    if number <= most and (number > least if above else number >= least):
        return
    begin = f"above {least:g}" if above else f"from {least:g}"
    end = "" if most == inf else f" to {most}"
    raise WrongValue(f"{name} must be a {'whole ' if whole else ''}number {begin}{end}, not {value!r:.60}")


def check_several(name: str, given: object, kind: type, example: str) -> tuple[Any, ...]:
    """Return *given* as a tuple; raise `WrongType` unless it is several of *kind*."""
    if isinstance(given, str | bytes | bytearray | Mapping) or not isinstance(given, Iterable):
        raise WrongType(
            f"{name} must be several of {_TYPES.get(kind, kind.__name__)}, not {kind_of(given)}: {example}"
        )
    several = tuple(given)
    for each in several:
        check_type(f"each of {name}", each, kind, example)
    return several


def in_range(
    least: float, most: float = inf, *, whole: bool = True, above: bool = False
) -> Callable[[object, Any, Any], None]:
    """Return a validator of an attrs field: `check_number`, with the class in the message."""

    def check(owner: object, attribute: Any, value: Any) -> None:
        if type(value) is int and least <= value <= most and not above:  # the usual one, without a call
            return
        check_number(
            f"{type(owner).__name__}: {attribute.name}", value, least, most, whole=whole, above=above
        )

    return check


def one_of(choices: Collection[C]) -> Callable[[object, Any, C], None]:
    """Return a validator of an attrs field: `check_choice`, with the class in the message."""

    def check(owner: object, attribute: Any, value: C) -> None:
        check_choice(f"{type(owner).__name__}: {attribute.name}", value, choices)

    return check


def kind_of(value: object) -> str:
    """Return what a message calls a value that it does not show."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
