"""The errors that users can get have paths at which users can import them."""

from __future__ import annotations

import importlib
import pkgutil
import traceback
from collections.abc import Iterator

import pytest

import bkjob_async as bkjob

# A store raises the first and a watch mends it; a command of `bkjob` catches the other.
INTERNAL = {"StoreBehind"}


def errors_below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """Yield an error and all that are derived from it in this package."""
    if kind.__module__.partition(".")[0] == "bkjob_async":
        yield kind
    for each in kind.__subclasses__():
        yield from errors_below(each)


def test_every_error_that_users_can_get_is_public() -> None:
    """Under the path that tracebacks show, and in the package itself."""
    for module in pkgutil.walk_packages(bkjob.__path__, "bkjob_async."):
        if not module.name.endswith(("__main__", "on_dask")):
            importlib.import_module(module.name)

    found = {kind.__name__: kind for kind in errors_below(bkjob.BkJobError) if kind.__name__ not in INTERNAL}

    assert {kind.__module__ for kind in found.values()} == {"bkjob_async.errors"}
    assert found.keys() <= {*bkjob.__all__}
    assert {
        name: getattr(importlib.import_module(kind.__module__), name) for name, kind in found.items()
    } == found
    assert {name: getattr(bkjob, name) for name in found} == found


def test_a_traceback_names_an_error_by_its_public_path() -> None:
    """That of a job without its scope, for example."""
    with pytest.raises(bkjob.ScopeMissing) as raised:
        bkjob.as_ref(100)

    (line,) = traceback.format_exception_only(raised.value)
    assert line.startswith("bkjob_async.errors.ScopeMissing: ")
