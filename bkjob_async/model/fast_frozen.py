"""Frozen facts that are made by the hundred: written as drafts, then sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from attrs import NOTHING, Attribute, field, fields, make_class

F = TypeVar("F")


def unfrozen_twin(fact: type[Any]) -> Callable[..., Any]:
    """Return a class that makes drafts of a *fact* whose fields are taken by position, in the order of `fields_of`.

    The constructor of a frozen class gets past its own guard field by field, and takes four times as long. A draft has no
    guard, and the very layout of the fact: to be sealed, it is only told that it is one.
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
    """Return the fields of a *fact* in the order of a draft: those without a default come first."""
    return sorted(fields(fact), key=lambda each: each.default is not NOTHING)


def freeze(fact: type[F], drafts: Iterable[Any]) -> list[F]:
    """Return *drafts* as facts; nobody may hold them as drafts."""
    facts = list(drafts)
    for each in facts:
        each.__class__ = fact
    return facts
