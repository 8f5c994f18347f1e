"""Statistics of durations."""

import json
from math import exp, inf, log, nan
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.scheduling import duration_stats
from bkjob_async.engine.scheduling.duration_stats import LONGEST, DurationRecord, DurationTable
from bkjob_async.errors import UsageError
from bkjob_async.model.refs import Scope

HERE, THERE = Scope.biz(2), Scope.biz_set(9)
NAMES = st.sampled_from(["deploy", "backup", "restart"])
RUNS = st.lists(st.tuples(NAMES, st.none() | NAMES, st.floats(0.1, 1e5)), max_size=60)


def taught(name: str, *seconds: float) -> DurationTable:
    """Return the statistics after runs of one name."""
    durations = DurationTable()
    for each in seconds:
        durations.learn(HERE, name, None, each)
    return durations


def law_of(durations: DurationTable, name: str) -> tuple[float, float]:
    """Return the expected median and spread of a name."""
    expectation = durations.expectation(HERE, name, None)
    assert expectation is not None
    return expectation.own.median, expectation.own.sigma


def test_runs_of_one_name_give_its_distribution() -> None:
    """The median is near theirs, and the spread comes near after a few dozen."""
    dice = Random(1)
    few = taught("deploy", *(exp(log(60.0) + 0.3 * dice.gauss(0, 1)) for _ in range(10)))
    many = taught("deploy", *(exp(log(60.0) + 0.3 * dice.gauss(0, 1)) for _ in range(200)))

    assert list(law_of(few, "deploy")) == [pytest.approx(60.0, rel=0.3), pytest.approx(0.35, abs=0.12)]
    assert list(law_of(many, "deploy")) == [pytest.approx(60.0, rel=0.1), pytest.approx(0.3, abs=0.06)]


def test_a_single_run_has_little_weight() -> None:
    """Its median is nearly that run's, and its spread that of any name."""
    median, sigma = law_of(taught("deploy", 60.0), "deploy")

    assert 50.0 < median < 61.0
    assert sigma > 0.4


def test_one_outlier_among_ten_changes_little() -> None:
    """Six times the usual, once."""
    usual = [55.0, 60.0, 66.0, 58.0, 63.0, 59.0, 61.0, 57.0, 64.0]
    median, _ = law_of(taught("deploy", *usual, 360.0), "deploy")

    assert 55.0 < median < 68.0


def test_a_name_with_other_durations_is_learnt_again() -> None:
    """Two outliers in a row are a change, and old runs lose their weight."""
    median, _ = law_of(taught("deploy", *[30.0] * 100, *[300.0] * 10), "deploy")

    assert 200.0 < median < 310.0


def test_steps_jobs_and_scopes_are_kept_apart() -> None:
    """The same words may mean other things elsewhere."""
    durations = DurationTable()
    durations.learn(HERE, "deploy", None, 100.0)
    durations.learn(HERE, "deploy", "copy", 10.0)
    durations.learn(THERE, "deploy", None, 1000.0)

    assert [(d.scope, d.job, d.step, d.runs, round(d.median)) for d in durations] == [
        (HERE, "deploy", None, 1, 100),
        (HERE, "deploy", "copy", 1, 10),
        (THERE, "deploy", None, 1, 1000),
    ]
    assert durations.expectation(THERE, "deploy", "copy") is None


def test_dates_and_serial_numbers_do_not_make_another_name() -> None:
    """But a small number does: step 1 is not step 2."""
    durations = taught("quick script 20240131120000123", 10.0)
    durations.learn(HERE, "quick script 2024-02-01 08:30:00", None, 12.0)
    durations.learn(HERE, "step 1", None, 10.0)

    assert durations.runs(HERE, "quick script 20250101", None) == 2
    assert durations.runs(HERE, "step 2", None) == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0, nan, inf, -inf, LONGEST * 1.01])
def test_what_is_no_duration_teaches_nothing(seconds: float) -> None:
    """It is rejected and not recorded."""
    durations = DurationTable()

    assert not durations.learn(HERE, "deploy", None, seconds)
    assert len(durations) == 0
    assert durations.exported() == DurationTable().exported()


@given(RUNS)
def test_what_was_exported_is_read_back_through_json(runs: list[tuple[str, str | None, float]]) -> None:
    """Number by number, with the same expectations."""
    durations = DurationTable()
    for job, step, seconds in runs:
        durations.learn(HERE, job, step, seconds)
    again = DurationTable.imported(json.loads(json.dumps(durations.exported())))

    assert again.exported() == durations.exported()
    assert list(again) == list(durations)
    for job, step, _ in runs:
        before, after = durations.expectation(HERE, job, step), again.expectation(HERE, job, step)
        assert before is not None
        assert after is not None
        assert after.tail(20.0) == pytest.approx(before.tail(20.0))


@given(RUNS)
def test_every_distribution_can_be_computed_with(runs: list[tuple[str, str | None, float]]) -> None:
    """After any durations, the wait is between its bounds."""
    durations = DurationTable()
    for job, step, seconds in runs:
        durations.learn(HERE, job, step, seconds)
        expectation = durations.expectation(HERE, job, step)
        assert expectation is not None
        assert 1.0 <= expectation.wait(seconds / 2, 0.1, 1.0, 100.0) <= 100.0


def test_names_used_least_recently_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; what is used stays."""
    monkeypatch.setattr(duration_stats, "KEYS", 3)
    durations = DurationTable()
    for name in ("one", "two", "three", "one", "four"):
        durations.learn(HERE, name, None, 5.0)

    assert [d.job for d in durations] == ["three", "one", "four"]
    monkeypatch.setattr(duration_stats, "KEYS", 2)
    assert len(DurationTable.imported(durations.exported())) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"all": [1.0]},
        {"all": [8.0, 3.4, -1.0, 0]},
        {"within": [0.0, 0.0]},
        {"within": [nan, 1.0]},
        {"names": None},
        {"names": [["nowhere", "deploy", None, 1.0, 3.0, 0.0, 1]]},
        {"names": [["2", 7, None, 1.0, 3.0, 0.0, 1]]},
        {"names": [["2", "deploy", None, 1.0, 99.0, 0.0, 1]]},
        {"names": [["2", "deploy", None, True, 3.0, 0.0, 1]]},
        {"names": [["2", "deploy", None, 0.0, 3.0, 0.0, 1]]},
        {"names": [["2", "deploy", None, 1.0, 3.0, 0.0, "many"]]},
        {"names": [["2", "deploy"]]},
    ],
)
def test_what_was_not_exported_is_refused(change: dict[str, Any]) -> None:
    """As a `UsageError`, whatever is wrong with it."""
    with pytest.raises(UsageError):
        DurationTable.imported({**taught("deploy", 60.0).exported(), **change})


def test_something_else_altogether_is_refused() -> None:
    """Also as a `UsageError`."""
    mistakes: list[Any] = [{}, [], "learnt", 7, None]
    for data in mistakes:
        with pytest.raises(UsageError):
            DurationTable.imported(data)


def test_no_more_runs_count_than_the_memory_holds() -> None:
    """With a memory of five, the newest counts for a fifth, however many came before; all of them are counted."""
    record = DurationRecord()
    for _ in range(100):
        record.add(2.0, memory=5.0)
    before = record.mean
    record.add(3.0, memory=5.0)

    assert before == pytest.approx(2.0)
    assert record.weight == pytest.approx(5.0)
    assert record.mean == pytest.approx(2.2)
    assert record.squares == pytest.approx(0.8)
    assert record.runs == 101


def test_names_of_which_others_saw_more_runs_are_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others stay; names that are new come last, and only while there is room."""
    own, others = DurationTable(), DurationTable()
    for name, runs in (("deploy", 2), ("backup", 5)):
        for _ in range(runs):
            own.learn(HERE, name, None, 10.0)
    for name, runs in (("old", 1), ("deploy", 4), ("backup", 5), ("restart", 1)):
        for _ in range(runs):
            others.learn(HERE, name, None, 100.0)

    monkeypatch.setattr(duration_stats, "KEYS", 3)

    assert own.take(others) == 2
    assert [(each.job, each.runs) for each in own] == [("restart", 1), ("deploy", 4), ("backup", 5)]
    assert own.take(others) == 0
