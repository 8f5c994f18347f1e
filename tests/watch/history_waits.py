"""Waits in random histories, and when their conditions truly held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import define

import bkjob_async as bkjob
from bkjob_async.model.status import host_status
from bkjob_async.testing import Truth
from bkjob_async.testing.results import WAITING


@define(kw_only=True)
class Waited:
    """A wait for an end, or *until* a condition holds, and what it brought; one in an open watch is *here*.

    *reads_ends_only*: its watch counts hosts when their step is over. *was_lost*: it goes on although its watch told the loss.
    """

    ref: bkjob.Ref
    begun: float
    here: bool = False
    reads_ends_only: bool = False
    was_lost: bool = False
    until: bkjob.Condition | None = None
    ended: float = 0.0
    result: bkjob.JobResult | None = None
    error: Exception | None = None


def may_hold(truth: Truth, waited: Waited, begin: float) -> bool:
    """Whether the condition of a wait held at any time from *begin* on, of the hosts that had begun."""
    until = waited.until
    if until is None:
        return True
    moments = moments_of(truth, waited.ref, begin, waited.ended)
    return any(
        until.holds(counts_at(truth, waited.ref, at, with_waiting=False), over=False) for at in moments
    )


def must_hold(truth: Truth, waited: Waited, begin: float) -> bool:
    """Whether the condition of a wait held all the time from *begin* on, of all its hosts."""
    until = waited.until
    if until is None or waited.reads_ends_only:
        return False
    moments = moments_of(truth, waited.ref, begin, waited.ended)
    return all(until.holds(counts_at(truth, waited.ref, at, with_waiting=True), over=False) for at in moments)


def moments_of(truth: Truth, ref: bkjob.Ref, begin: float, end: float) -> set[float]:
    """Return *begin*, and when hosts of a job or step changed between *begin* and *end*."""
    hosts = (
        since for key, since in truth.since.items() if isinstance(key, tuple) and ref in (key[0], key[0].job)
    )
    return {begin, *(at for since in hosts for at in since if begin < at <= end)}


def counts_at(truth: Truth, ref: bkjob.Ref, at: float, *, with_waiting: bool) -> Mapping[bkjob.Phase, int]:
    """Return how many hosts of a job or step were in each phase at a time, in the latest execution of each step."""
    latest: dict[bkjob.StepRef, int] = {}
    for step, number, _ in truth.hosts:
        if ref in (step, step.job) and any(
            truth.code_before(run, at) is not None for run in truth.hosts_of(step, number)
        ):
            latest[step] = max(number, latest.get(step, 0))
    codes = (
        truth.code_before(run, at) for step, number in latest.items() for run in truth.hosts_of(step, number)
    )
    return Counter(
        host_status(code).phase for code in codes if code is not None and (with_waiting or code != WAITING)
    )
