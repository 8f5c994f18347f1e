"""Targets and operations on the command line: names, links, files of names."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from bkjob_async.model.base_error import UsageError
from bkjob_async.model.operations.base import StepOperation
from bkjob_async.model.operations.codes import JobOperation
from bkjob_async.model.ref_input import ScopeMissing, as_ref
from bkjob_async.model.refs import HostKey, Ref, Scope

F = TypeVar("F", bound=Callable[..., Any])


def word_of(operation: StepOperation | JobOperation) -> str:
    """Return the word for an operation: `confirm-continue`."""
    return operation.name.lower().replace("_", "-")


OPERATIONS: dict[str, StepOperation | JobOperation] = {
    word_of(operation): operation for operation in (*StepOperation, *JobOperation)
}


def targets_argument(*, required: bool = True) -> Callable[[F], F]:
    """Return the argument of a command that takes any number of targets."""
    return click.argument("targets", nargs=-1, required=required, metavar="TARGET...")


def targets_from(words: Sequence[str], scope: Scope | None) -> tuple[Ref, ...]:
    """Return what *words* name, each once: targets, `@FILE`, `-`; bare ids are in *scope*.

    Raises `UsageError`, also for words that name nothing.
    """
    refs = tuple(dict.fromkeys(target_from(word, scope) for word in expanded(words)))
    if words and not refs:
        raise UsageError(f"which targets? {shlex.join(words)} names none")
    return refs


def target_from(word: str, scope: Scope | None) -> Ref:
    """Read `JOB`, `JOB/STEP` or a link within *scope*, or a whole name such as `2:100/200`; raise `UsageError`."""
    try:
        return as_ref(word, scope)
    except ScopeMissing:
        raise UsageError(f"in which scope is {word}? give --biz or --biz-set") from None
    except UsageError:
        raise UsageError(f"{word!r:.80} names neither a JOB nor a JOB/STEP") from None


def hosts_from(words: Sequence[str]) -> tuple[HostKey, ...]:
    """Return the hosts that *words* name, each once: `cloud:ip`, `#id`, several with commas, `@FILE`, `-`.

    Raises `UsageError`, also for words that name nothing.
    """
    names = (name for word in expanded(words) for name in word.split(",") if name)
    try:
        hosts = tuple(dict.fromkeys(HostKey.parse(name.strip()) for name in names))
    except ValueError as error:
        raise UsageError(str(error)) from None
    if words and not hosts:
        raise UsageError(f"which hosts? {shlex.join(words)} names none")
    return hosts


def expanded(words: Iterable[str]) -> Iterator[str]:
    """Yield *words*, and in place of `@FILE` and `-` the first word of each line there; `#` begins a comment line."""
    for word in words:
        if word == "-" or word.startswith("@"):
            for line in read_text(word.removeprefix("@")).splitlines():
                if line.strip() and not line.lstrip().startswith("# "):
                    yield line.split()[0]
        else:
            yield word


def read_text(path: str) -> str:
    """Return the text of a file, or of stdin for `-`, as UTF-8 whatever the locale; raise `UsageError`."""
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
