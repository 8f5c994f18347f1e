"""A checkpoint made of the states of jobs says what was reported, at whatever moment each of them is taken."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.engine.journaling.decoding import decode_record
from bkjob_async.engine.journaling.jobs import encode_part, parts_of, reported_form
from bkjob_async.model.events import Event
from bkjob_async.model.poll_view import JobPollView, StepPollView
from tests.engine.journaling.folding import fold
from tests.engine.journaling.test_fold import comparable, played, views
from tests.engine.poll_views import JOB, present
from tests.examples import examples


@settings(max_examples=examples(400))
@given(views, st.integers(0, 12), st.integers(0, 12))
def test_the_records_behind_it_lead_to_the_same_state(
    seen: list[tuple[float, JobPollView | StepPollView]], begin: int, taken: int
) -> None:
    """The state is taken some records after the checkpoint began, and has those in it."""
    _, records = played(seen)
    taken = min(taken, len(seen))
    begin = min(begin, taken)
    _, before = played(seen[:begin])
    state, _ = played(seen[:taken])
    sequence = decode_record(before[-1]).sequence
    last = decode_record(played(seen[:taken])[1][-1]).sequence

    parts = [
        encode_part(fold((), before).facts.part(sequence)),
        *parts_of(sequence, [reported_form(state, last if last > sequence else 0)]),
    ]

    assert reported(parts, records) == reported([], records)


def reported(parts: list[bytes], records: list[bytes]) -> list[Event]:
    """Return the present that a reader is given of these records."""
    job = fold(parts, records).jobs.get(JOB)
    assert job is not None
    begun = {
        step.ref
        for step in job.steps
        if step.announced.code is not None and step.announced.execute_count != step.execute_count
    }
    return comparable(present(job, job.targets), begun)
