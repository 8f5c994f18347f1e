"""The model of the board: order, counts, selection, rates."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async import (
    Batch,
    JobRef,
    Lost,
    LostReason,
    Phase,
    Recovered,
    Reopened,
    RunStatus,
    Stalled,
    StepChanged,
    Trouble,
)
from bkjob_async.cli.board.app import FramePacing
from bkjob_async.cli.board.model import BoardModel
from bkjob_async.cli.board.target_row import ATTENTION
from bkjob_async.cli.board.views.views import Selection
from bkjob_async.cli.tables import step_text
from tests.cli.board.samples import applied, changed, failure, finished, job_ref, sample_model, step_changed

PHASES = st.sampled_from([Phase.PENDING, Phase.RUNNING, Phase.WAITING, Phase.SUCCESS, Phase.FAILED])
HOSTS = st.dictionaries(st.sampled_from([Phase.RUNNING, Phase.SUCCESS, Phase.FAILED]), st.integers(0, 9))
MOVES = st.lists(st.tuples(st.integers(0, 5), PHASES, HOSTS, st.booleans()), max_size=30)


def test_what_needs_a_person_comes_first() -> None:
    """Failed or waiting for a person, running, pending, over."""
    model = sample_model(24)
    groups = [row.group for row in model.ordered()]
    first = model.ordered()[0]

    assert groups == sorted(groups)
    assert first.phase is Phase.WAITING
    assert {row.phase for row in model.ordered() if row.group == ATTENTION} == {
        Phase.WAITING,
        Phase.FAILED,
        Phase.RUNNING,
    }


@given(MOVES)
def test_the_head_counts_what_the_rows_say(moves: list[tuple[int, Phase, dict[Phase, int], bool]]) -> None:
    """After any batches, the totals are those of the rows, and the order is that of a fresh sort."""
    model = BoardModel()
    model.set_targets(map(job_ref, range(5)))
    for number, phase, hosts, is_over in moves:
        end = [finished(number, phase, 1.0)] if is_over else [Reopened(ref=job_ref(number), epoch=1)]
        applied(model, number, changed(number, phase), *end, hosts=hosts)
        if number == 4 and is_over:
            model.set_targets(map(job_ref, range(4)))
            model.set_targets(map(job_ref, range(5)))

    rows = model.rows.values()
    assert {row.ref for job in map(job_ref, range(6)) for row in model.rows_of(job)} == model.rows.keys()
    assert +model.hosts == sum((Counter(row.counts) for row in rows), Counter())
    assert model.totals["over"] == sum(row.is_over for row in rows)
    assert model.totals["lost"] == sum(row.is_lost for row in rows)
    assert model.totals["with_failures"] == sum(bool(row.failed) or row.phase is Phase.FAILED for row in rows)
    assert model.totals["waiting"] == sum(row.waits for row in rows)
    assert [row.ref for row in model.ordered()] == [
        row.ref for row in sorted(rows, key=lambda row: row.order)
    ]


def test_a_batch_about_nobodys_job_changes_nothing() -> None:
    """It is of a target that was dropped."""
    model = BoardModel()
    applied(model, 1, changed(1, Phase.RUNNING), hosts={Phase.RUNNING: 1})

    assert not model.rows
    assert not +model.hosts


def test_a_step_that_is_a_target_has_a_row_of_its_own() -> None:
    """Its name, phase and counts are those of the step."""
    model, job = BoardModel(), job_ref(1)
    step = job.step(30_000_000_001)
    model.set_targets([job, step])
    model.apply(
        Batch(1, (changed(1, Phase.RUNNING, "deploy"), step_changed(1, 1, Phase.FAILED, "copy"))),
        {job: {Phase.FAILED: 1, Phase.RUNNING: 2}, step: {Phase.FAILED: 1}},
    )
    of_job, of_step = model.ordered()

    assert (of_step.title, of_step.phase, of_step.total) == ("copy", Phase.FAILED, 1)
    assert (of_job.title, of_job.phase, of_job.total) == ("deploy", Phase.RUNNING, 3)
    assert step_text(of_job.steps) == "1/1 copy"


def test_trouble_is_shown_until_the_target_was_read_again() -> None:
    """A lost target stays lost."""
    model = BoardModel()
    model.set_targets(map(job_ref, range(3)))
    ref = job_ref(0)
    applied(model, 0, Trouble(ref=ref, error="TransportFailed", message="no"), hosts={})
    in_trouble = model.rows[ref].trouble
    applied(model, 0, Recovered(ref=ref), hosts={})
    recovered = model.rows[ref].trouble
    applied(model, 1, Lost(ref=job_ref(1), reason=LostReason.NOT_FOUND), hosts={})
    applied(model, 1, hosts={})
    applied(model, 2, Stalled(ref=job_ref(2), seconds=61.0), hosts={})

    assert (in_trouble, recovered) == ("TransportFailed: no", "")
    assert model.rows[job_ref(1)].trouble == "lost: not found"
    assert model.rows[job_ref(2)].trouble == "not seen for 61 s"
    assert (model.totals["over"], model.ordered()[0].ref) == (1, job_ref(1))


def test_an_outage_is_one_sentence_of_the_head() -> None:
    """Until the platform answers again."""
    model = BoardModel()
    model.apply(Batch(1, (Trouble(ref=None, error="PlatformTrouble", message="502", targets=9),)), {})
    during = model.outage
    model.apply(Batch(2, (Recovered(ref=None, targets=9),)), {})

    assert (during, model.outage) == ("PlatformTrouble: 502", "")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A new execution, whose hosts are not over, does not make it negative."""
    model = BoardModel()
    model.set_targets([job_ref(1)])
    rates = []
    for second in range(20):
        applied(model, 1, hosts={Phase.SUCCESS: 3 * second, Phase.RUNNING: 60 - 3 * second})
        rates.append(model.hosts_per_second(float(second)))
    applied(model, 1, hosts={Phase.RUNNING: 60})
    again = model.hosts_per_second(20.0)

    assert rates[1:] == [3.0] * 19
    assert again == 0.0
    assert model.expected_end(20.0, 2.0) == 30.0


def test_the_end_is_expected_by_earlier_runs_where_they_are_known() -> None:
    """That of the last of them."""
    model = BoardModel()
    model.set_targets(map(job_ref, range(3)))
    for number in range(3):
        applied(model, number, changed(number, Phase.RUNNING), hosts={Phase.RUNNING: 5})
        model.rows[job_ref(number)].ends_at = 100.0 + number if number else None

    assert model.expected_end(10.0, 1.0) == 92.0


def test_steps_to_come_are_part_of_the_bar() -> None:
    """A job whose first of two steps is over is half done, and its bar is not full."""
    model = BoardModel()
    model.set_targets([job_ref(1)])
    steps = [step_changed(1, 1, Phase.SUCCESS, "send"), step_changed(1, 2, Phase.PENDING, "restart")]
    applied(model, 1, changed(1, Phase.RUNNING), *steps, hosts={Phase.SUCCESS: 10})

    assert model.rows[job_ref(1)].expected_counts == {Phase.SUCCESS: 10, Phase.PENDING: 10}


def test_the_last_failures_are_bounded() -> None:
    """The newest are kept."""
    model = BoardModel()
    model.set_targets([job_ref(1)])
    for host in range(100):
        applied(model, 1, failure(1, host), hosts={Phase.FAILED: host + 1})

    assert len(model.failures) == 50
    assert model.failures[-1][1].host.ip == "10.0.0.99"


# The selection -------------------------------------------------------------------------------------------------------

KEYS = st.lists(st.integers(0, 30), unique=True, max_size=20)


@given(st.lists(st.tuples(KEYS, st.integers(-25, 25), st.integers(1, 10)), max_size=20))
def test_the_selection_is_always_visible_and_stays_on_its_target(
    moves: list[tuple[list[int], int, int]],
) -> None:
    """Wherever its target goes, and as long as it is in the list."""
    selection = Selection[int]()
    for keys, by, height in moves:
        before = selection.key
        index = selection.settle(keys, height)
        if before in keys:
            assert selection.key == before
        assert (index is None) is (not keys)
        if index is not None:
            assert keys[index] == selection.current(keys)
            assert selection.top <= index < selection.top + height
        assert 0 <= selection.top <= max(0, len(keys) - height)
        if by:
            selection.move(keys, by)
            assert not keys or selection.key in keys


def test_nothing_is_selected_before_the_user_moves() -> None:
    """The list shows its top, and its first line is marked: a command is about that, and the next one is one below."""
    selection = Selection[int]()

    assert selection.settle([1, 2, 3], 2) == 0
    assert selection.current([1, 2, 3]) == 1
    assert selection.settle([2, 1, 3], 2) == 0
    assert selection.current([2, 1, 3]) == 2
    assert selection.move([1, 2, 3], 1)
    assert selection.current([3, 2, 1]) == 2


# Frames --------------------------------------------------------------------------------------------------------------


def test_frames_are_four_a_second_and_two_where_they_are_expensive() -> None:
    """The cost of the last one decides."""
    pacing = FramePacing()
    assert pacing.wait(0.0) == 0.0

    pacing.on_frame(10.0, 0.001)
    assert pacing.wait(10.1) == pytest.approx(0.15)
    pacing.on_frame(20.0, 0.026)
    assert pacing.wait(20.1) == pytest.approx(0.4)
    assert pacing.wait(21.0) == 0.0


def test_a_step_of_another_job_is_nobodys_row() -> None:
    """Its ref is compared with its job."""
    model = BoardModel()
    model.set_targets([job_ref(1).step(1)])
    event = StepChanged(
        ref=JobRef(job_ref(1).scope, 5).step(1),
        execute_count=0,
        before=None,
        after=RunStatus(2),
        is_finished=False,
    )
    model.apply(Batch(1, (event,)), {})

    assert next(iter(model.rows.values())).phase is None
