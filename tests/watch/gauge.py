"""The gauge of the docstring of `HostCounts`, and when it must agree with the watch."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import bkjob_async as bkjob


class Gauge:
    """The gauge of the docstring, word for word."""

    def __init__(self) -> None:
        """Run the lines as they stand."""
        names: dict[str, Any] = {
            "defaultdict": defaultdict,
            "Counter": Counter,
            "HostChanged": bkjob.HostChanged,
            "HostCounts": bkjob.HostCounts,
        }
        exec(LINES, names)  # noqa: S102 - our own docstring
        self.count: Callable[[bkjob.Event], None] = names["count"]
        self.total: Callable[[set[bkjob.Ref]], Counter[bkjob.Phase]] = names["total"]
        self.steps: dict[bkjob.StepRef, Counter[bkjob.Phase]] = names["gauge"]

    def drop(self, ref: bkjob.Ref, targets: set[bkjob.Ref]) -> None:
        """Do what the docstring asks of whoever drops a target; *targets* are left."""
        for step in [step for step in self.steps if ref in (step, step.job)]:
            if not targets & {step, step.job}:
                del self.steps[step]


def lines() -> str:
    """Return the lines of the docstring."""
    assert bkjob.HostCounts.__doc__ is not None
    _, _, text = bkjob.HostCounts.__doc__.partition("::\n\n")
    return textwrap.dedent(text[: text.index("\n\n    A `Lost`")])


LINES = compile(lines(), "HostCounts", "exec")


def has_read_all(reader: bkjob.Reader[Any], watch: bkjob.Watch) -> bool:
    """Whether a reader has read all that a watch told so far, and that is the whole present."""
    position = reader._position
    return watch.is_in_sync and position.place == watch._stream.log.end and position.backlog is None
