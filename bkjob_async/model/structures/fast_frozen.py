"""Create many instances of a frozen class quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from attrs import NOTHING, Attribute, field, fields, make_class

F = TypeVar("F")


def unfrozen_twin(fact: type[Any]) -> Callable[..., Any]:
    """Return a class with the layout of a frozen class whose fields are passed by position.

    The order is that of `fields_of`. The constructor of a frozen class sets each field by
    `object.__setattr__`, and takes four times as long. An instance of the twin is frozen by assigning its
    class.
    """
    return make_class(
        f"{fact.__name__}Draft",
        {each.name: field(default=each.default) for each in fields_of(fact)},
        bases=(fact,),
        class_body={"__setattr__": object.__setattr__, "__delattr__": object.__delattr__},
        slots=True,
        eq=False,
        repr=False,
    )


def fields_of(fact: type[Any]) -> list[Attribute[Any]]:
    """Return the fields of a frozen class in the order of its twin: those without a default come first."""
    return sorted(fields(fact), key=lambda each: each.default is not NOTHING)


def freeze(fact: type[F], drafts: Iterable[Any]) -> list[F]:
    """Turn *drafts* into instances of the frozen class; no other reference to them may exist."""
    facts = list(drafts)
    for each in facts:
        each.__class__ = fact
    return facts
