"""The twin has what the asynchronous client has: the files are what the script writes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import bkjob_async as bkjob
from bkjob_async import sync
from bkjob_async.model.operations.base import Operation
from bkjob_async.wire.tracebacks import hides_arguments
from tests.generate import methods, operations, twin
from tests.generate.files import ROOT, Imports

RENAMED = {"aclose": "close"}
PAIRS: list[tuple[type[Any], type[Any]]] = [
    (bkjob.JobClient, sync.JobClient),
    (bkjob.Watch, sync.Watch),
    (bkjob.Reader, sync.Reader),
    (bkjob.RunReport, sync.RunReport),
    (bkjob.responses.PagedList, sync.PagedList),
]


def public(owner: type[Any]) -> dict[str, Any]:
    """Return the public members of a class, under the names that they have in the twin."""
    return {RENAMED.get(name, name): vars_of(owner)[name] for name in dir(owner) if name[0] != "_"}


def vars_of(owner: type[Any]) -> dict[str, Any]:
    """Return the members of a class as they were written."""
    return {name: value for each in reversed(owner.__mro__) for name, value in vars(each).items()}


WRITTEN = {**operations.files(), **twin.files()}


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_files_are_those_that_the_script_writes(path: Path) -> None:
    """Run `python -m tests.generate` after a change of an operation or of the asynchronous client."""
    assert path.read_text(encoding="utf-8") == WRITTEN[path]


@pytest.mark.parametrize(("asynchronous", "synchronous"), PAIRS, ids=lambda each: each.__name__)
def test_the_twin_has_the_same_members(asynchronous: type[Any], synchronous: type[Any]) -> None:
    """None is lacking, and none has another meaning."""
    lacking = public(asynchronous).keys() - public(synchronous).keys() - {"next_slice"}

    assert lacking == set()
    assert public(synchronous).keys() - public(asynchronous).keys() <= {"scope", "cursor"}


@pytest.mark.parametrize(
    ("asynchronous", "synchronous"),
    [*PAIRS[:2], (bkjob.RunReport, sync.RunReport)],
    ids=lambda each: each.__name__,
)
def test_the_twin_has_the_same_parameters(asynchronous: type[Any], synchronous: type[Any]) -> None:
    """With the same types, defaults and results, which `help` shows."""
    for name, method in public(asynchronous).items():
        if not inspect.isfunction(method):
            continue
        (_, *wanted), (_, *got) = (
            inspect.signature(each).parameters.values() for each in (method, public(synchronous)[name])
        )
        assert got == wanted, name
        assert (
            inspect.signature(public(synchronous)[name]).return_annotation
            == inspect.signature(method).return_annotation
        ), name


def test_the_twin_hides_the_same_arguments() -> None:
    """Of each method that may be given a secret, however it is imported."""
    names = [name for name in public(sync.JobClient) if inspect.isfunction(getattr(sync.JobClient, name))]
    hidden = {name for name in names if hides_arguments(getattr(bkjob.JobClient, name, sync.JobClient.close))}

    assert {name for name in names if hides_arguments(getattr(sync.JobClient, name))} == hidden
    assert {"call", "call_raw", "run_script", "fast_execute_script", "watch"} <= hidden


def test_rare_operations_are_imported_when_one_is_used() -> None:
    """As by the asynchronous client."""
    code = "from bkjob_async import sync; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "bkjob_async.sync.client" in run.stdout.split()
    assert "bkjob_async.client.operations.management" not in run.stdout.split()


def test_connect_takes_what_the_asynchronous_one_takes() -> None:
    """But an aiohttp session, which belongs to another loop."""
    wanted = inspect.signature(bkjob.connect).parameters
    got = inspect.signature(sync.connect).parameters

    assert [*got.values()] == [each for name, each in wanted.items() if name != "session"]


def test_no_text_of_the_twin_is_about_coroutines() -> None:
    """Examples and prose say what a caller of the twin writes."""
    for owner in (sync.JobClient, sync.RunReport, sync.Watch):
        for name, member in public(owner).items():
            doc = inspect.getdoc(member) or ""
            for line in doc.splitlines():
                assert "await" not in line, (name, line)
                assert "async " not in line.replace("An async callable", "").replace(
                    "an async callable", ""
                ), (
                    name,
                    line,
                )


def test_a_default_that_is_text_is_written_as_text() -> None:
    """In the function that is made of a class, as any other default."""

    @frozen(kw_only=True)
    class SayHello(Operation[None]):
        """Say hello."""

        name = "say_hello"

        kind: str = "loud"
        times: int = 1

    signature = methods.signature(SayHello, Imports(__name__))

    assert "kind: str = 'loud', times: int = 1" in signature
