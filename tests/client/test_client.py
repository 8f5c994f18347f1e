"""The class of the client: a table of functions that are its methods."""

from __future__ import annotations

import inspect
from typing import Any

import bkjob_async as bkjob

METHODS = {
    name: method
    for name, method in inspect.getmembers(bkjob.JobClient, inspect.isfunction)
    if not name.startswith("_")
}


def test_every_method_is_listed_under_its_own_name() -> None:
    """A line of the table that names another function is a slip of the pen."""
    assert {name: method.__name__ for name, method in METHODS.items()} == {name: name for name in METHODS}


def test_every_method_is_documented_and_bound() -> None:
    """`help(JobClient)` shows a contract for each, and its own first parameter is the client."""
    for name, method in METHODS.items():
        first = next(iter(inspect.signature(method).parameters))
        assert method.__doc__, name
        assert first in {"self", "client"}, name


def test_a_client_is_one_step_above_its_caller() -> None:
    """Whoever looks for a method finds it in the class or behind one line of it."""
    ancestors: list[type[Any]] = [*bkjob.JobClient.__mro__]

    assert [each.__name__ for each in ancestors] == ["JobClient", "Caller", "object"]
