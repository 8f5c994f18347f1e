"""Many new hosts: their names are read in pieces, and what is reported is the same."""

from __future__ import annotations

from unittest import mock

from bkjob_async.engine.responses import new_hosts
from bkjob_async.engine.responses.new_hosts import lists_many_new_hosts, read_names
from bkjob_async.engine.stream.cursor import CursorSequence
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.poll_view import JobPollView
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, host, job, step


def response(status: int = 7) -> JobPollView:
    """Return a response about a job with a step of ten hosts."""
    return job(2, step(2, [host(n, status) for n in range(1, 11)]))


def test_what_is_read_before_is_not_read_again() -> None:
    """Each host has the name that was read, and the events are those of a response that is applied at once."""
    sequence = CursorSequence("0a1b2c3d")
    at_once, in_pieces = JobState(JOB, is_target=True), JobState(JOB, is_target=True)
    expected = apply_job(at_once, response(), sequence.next_stamp(1.0, 1.0))

    names = [key for some in read_names(response(), sequence.machines) for key in some]
    events = apply_job(in_pieces, response(), sequence.next_stamp(1.0, 1.0))

    assert events == expected
    keys = in_pieces.step(200).hosts.keys
    assert [one is other for one, other in zip(names, keys, strict=True)] == [True] * 10


def test_few_hosts_and_hosts_that_are_known_are_not_read_before() -> None:
    """There is nothing to spare."""
    sequence, state = CursorSequence("0a1b2c3d"), JobState(JOB, is_target=True)

    assert not lists_many_new_hosts(state, response())
    with mock.patch.object(new_hosts, "MAX_NEW_HOSTS", 5):
        assert lists_many_new_hosts(state, response())
        apply_job(state, response(), sequence.next_stamp(1.0, 1.0))
        assert not lists_many_new_hosts(state, response(9))
