"""The fold of the records is the state that they were made of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.forms import VERSION, JobForm, PartForm, Term
from bkjob_async.engine.journaling.jobs import encode_part
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import target_result
from bkjob_async.errors import JournalDamaged
from bkjob_async.model.events import Batch, Event, Finished, HostChanged, StepChanged, Trouble
from bkjob_async.model.json_values import event_to_json
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import Ref
from tests.engine.applied import apply_job, apply_step
from tests.engine.journaling.folding import fold
from tests.engine.poll_views import JOB, Row, at, batch_of, job, present, step
from tests.examples import examples

host_codes = st.sampled_from([1, 5, 7, 9, 11, 104, 777])


def named(number: int, **rest: Any) -> Row:
    """Return the row of a host, which always has the same names: what is learnt later is reported with a change only."""
    kind = 3 * number % 7 + 1
    return Row(
        bk_host_id=number if kind & 1 else None,
        ip=f"10.0.0.{number}" if kind & 2 else None,
        ipv6=f"fe80::{number}" if kind & 4 else None,
        **rest,
    )


rows = st.lists(
    st.builds(
        named,
        st.integers(1, 7),
        status=host_codes,
        tag=st.none() | st.sampled_from(["", "full"]),
        exit_code=st.none() | st.integers(0, 3),
    ),
    max_size=4,
    unique_by=lambda row: str(row.bk_host_id or row.ip or row.ipv6)[-1],
)
run_codes = st.sampled_from([1, 2, 2, 3, 4, 6, 9, 14])
steps = st.builds(
    step, run_codes, st.none() | rows, number=st.sampled_from([200, 201]), run=st.integers(0, 2)
)
jobs = st.builds(lambda code, found: job(code, *found), run_codes, st.lists(steps, max_size=2))
views = st.lists(st.tuples(st.sampled_from([0.5, 2.0, 20.0, 130.0]), jobs | steps), max_size=12)


def played(
    seen: list[tuple[float, JobPollView | StepPollView]], batches: list[Batch] | None = None
) -> tuple[JobState, list[bytes]]:
    """Apply responses one after the other; return the state, and a record of each batch, which is added to *batches*."""
    refs: list[Ref] = [JOB, JOB.step(200)]
    state, now = JobState(JOB), 0.0
    for ref in refs:
        state.add_target(ref)
    records = [encode_record(1, time=0.0, term=1, client="test", targets=[(ref, True) for ref in refs])]
    for seconds, view in seen:
        now += seconds
        stamp = at(now)
        apply = (
            apply_job(state, view, stamp) if isinstance(view, JobPollView) else apply_step(state, view, stamp)
        )
        if apply:
            batch = batch_of(apply, stamp)
            if batches is not None:
                batches.append(batch)
            records.append(
                encode_record(stamp.sequence, time=now, term=1, client="test", batch=batch, job=state)
            )
    return state, records


@settings(max_examples=examples(400))
@given(views)
def test_the_fold_is_the_present(seen: list[tuple[float, JobPollView | StepPollView]]) -> None:
    """The present that readers would be given is the same, with the batch of each last change."""
    state, records = played(seen)
    folded = fold((), records).jobs.get(JOB)
    assert folded is not None

    for since in (0, 2500, 25_000):
        for skipped in (False, True):
            reported, back = (
                present(job, job.targets, since=since, skipped=skipped) for job in (state, folded)
            )
            begun = {
                step.ref
                for step in state.steps
                if step.announced.code is not None and step.announced.execute_count != step.execute_count
            }
            # A step that left an execution and came back to it reported nothing.
            assert [
                event for event in comparable(back, begun) if not since or isinstance(event, HostChanged)
            ] == [
                event for event in comparable(reported, begun) if not since or isinstance(event, HostChanged)
            ]


def comparable(events: list[Event], begun: Collection[Ref]) -> list[Event]:
    """Return *events* without what was not reported.

    Details of failed hosts that are read late are reported with the end of their step, and what is read after that with its
    next event only. Of the steps that have *begun* another
    execution, whose first status settles, only hosts were reported, if there are any; their epochs were counted.
    """
    return [
        replace(event, epoch=0)
        if isinstance(event, StepChanged)
        else replace(event, epoch=0, tag=None, exit_code=None)
        if isinstance(event, HostChanged)
        else event
        for event in events
        if not isinstance(event, Finished) and not (isinstance(event, StepChanged) and event.ref in begun)
    ]


@settings(max_examples=examples(400))
@given(views, st.integers(0, 12))
def test_a_fold_goes_on_from_its_checkpoint(
    seen: list[tuple[float, JobPollView | StepPollView]], place: int
) -> None:
    """Wherever a checkpoint is made, the records behind it lead to the same state."""
    _, records = played(seen)
    place = min(place, len(records))
    whole, parts = fold((), records), list(fold((), records[:place]).parts())

    # The records that the checkpoint has in it are passed over.
    again = fold(parts, records)

    assert list(again.parts()) == list(whole.parts())
    assert again.targets == whole.targets
    assert list(Fold().parts()) != list(whole.parts())


@settings(max_examples=examples(300))
@given(views)
def test_a_finished_result_is_kept_in_full(seen: list[tuple[float, JobPollView | StepPollView]]) -> None:
    """At the batch that reports the end of a target the fold has its result, details of failed hosts included."""
    state, now = JobState(JOB), 0.0
    state.add_target(JOB)
    folded = Fold()
    folded.apply(encode_record(1, time=0.0, term=1, client="test", targets=[(JOB, True)]))
    for seconds, view in seen:
        now += seconds
        stamp = at(now)
        apply = (
            apply_job(state, view, stamp) if isinstance(view, JobPollView) else apply_step(state, view, stamp)
        )
        if not apply:
            continue
        batch = batch_of(apply, stamp)
        data = encode_record(stamp.sequence, time=now, term=1, client="test", batch=batch, job=state)
        folded.apply(data)
        back = folded.jobs.get(JOB)
        assert back is not None
        for event in batch.events:
            if isinstance(event, Finished):
                result = target_result(back, event.ref)
                assert result.status == event.result.status
                assert [each.failed for each in result.steps if each.is_finished] == [
                    each.failed for each in event.result.steps if each.is_finished
                ]


@pytest.mark.parametrize("cursor", ["", "x", "-1-0a1b2c3d", "5-0a1b2c3d.0"])
@pytest.mark.parametrize("of_job", [False, True])
def test_a_signal_without_a_place_is_damage(cursor: str, *, of_job: bool) -> None:
    """What a checkpoint says of trouble has the cursor of its record; readers of its state compare it with theirs."""
    trouble = {
        **event_to_json(Trouble(ref=JOB, error="PlatformTrouble", message="", cursor="5-0a1b2c3d")),
        "cursor": cursor,
    }
    jobs = [JobForm(str(JOB), is_target=True, signals=[trouble])] if of_job else []
    signals = [] if of_job else [trouble]
    part = PartForm(VERSION, 5, jobs, terms=[Term(1, "0a1b2c3d", 0)], signals=signals)

    with pytest.raises(JournalDamaged):
        list(fold([encode_part(part)], []).present(1))
