"""Bounds of the code, set so low that histories of few hosts and events reach what lies beyond them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

from bkjob_async.engine.tracking.next_request import next_request

# Steps count as large, their hosts are read by group, and jobs of which only the end is wanted by lists.
LARGE_STEPS = {
    "engine.responses.unwanted_rows.MAX_FULL_READ_HOSTS": 0,
    "engine.tracking.next_request.MAX_FULL_READ_HOSTS": 0,
    "engine.responses.step_hosts.MAX_FULL_READ_HOSTS": 0,
    "engine.responses.new_hosts.MAX_NEW_HOSTS": 0,
    "wire.session.LARGE_BODY": 0,
    "engine.scheduling.list_polling.FEWEST": 1,
    "simulator.protocol.groups.MAX_HOSTS_IN_ONE_READ": 0,
}
# A target is stalled after so many seconds, or polls at a fixed interval, and looked at so often.
STALLED_AFTER, STALLED_POLLS, STALL_CHECK_INTERVAL = 8.0, 2, 3.0
# Faults of half a minute and less lose targets that were read before, and let hosts be requested again from time to time;
# jobs of few hosts have a digest; the lookups of two or three tables are kept; targets stall.
ALWAYS = {
    "engine.tracking.error_policy.LOST_AFTER_SECONDS": 3.0,
    "engine.tracking.next_request.ROWS_RETRY_INTERVAL": 1.5,
    "engine.responses.unchanged.FEW_HOSTS": 0,
    "engine.host_table.id_lookups.FEWEST_KEPT": 1,
    "engine.host_table.id_lookups.MAX_KEPT": 12,
    "watch.polling.poller.STALLED_AFTER": STALLED_AFTER,
    "watch.polling.poller.STALLED_POLLS": STALLED_POLLS,
    "watch.polling.stalls.STALL_CHECK_INTERVAL": STALL_CHECK_INTERVAL,
}
# What readers are given in slices: how many events in each.
IN_SLICES = {
    "model.structures.lazy_tuple.MAX_PLAIN": 0,
    "engine.stream.batches.SLICE_SIZE": 2,
    "watch.stream.readers.SLICE_SIZE": 2,
    "model.structures.lazy_tuple.SLICE_SIZE": 2,
}
# A backlog, and the present state of a journal, come in portions of so many events.
PORTIONS = {"watch.stream.stream.PORTION_SIZE": 3, "journal.follow.PORTION_SIZE": 3}
# A checkpoint is written as soon as there is a record behind the last one.
CHECKPOINTS = {"watch.journaling.checkpoints.SMALLEST_WEIGHT": 0}


@contextmanager
def small_bounds(group_polling: str, log_limit: int, *, checkpoints: bool = False) -> Iterator[None]:
    """Set the bounds for a history that polls and keeps events in this way; with *checkpoints* for every record."""
    with ExitStack() as patches:
        bounds = ALWAYS | ({} if group_polling == "small" else LARGE_STEPS | IN_SLICES)
        if log_limit < 100:
            bounds |= PORTIONS
        if checkpoints:
            bounds |= CHECKPOINTS
        for where, bound in bounds.items():
            patches.enter_context(mock.patch(f"bkjob_async.{where}", bound))
        if group_polling == "guess":
            scarce = partial(next_request, requests_are_scarce=True)
            ask = lambda job, capabilities, **_: scarce(job, capabilities)  # noqa: E731
            patches.enter_context(mock.patch("bkjob_async.engine.tracking.next_request.next_request", ask))
        yield
