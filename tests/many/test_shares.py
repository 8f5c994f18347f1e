"""The budget is one: whatever runners come, go and exchange, their rates together stay within it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.journal.shards import granted_of
from bkjob_async.many.runner.shares import RequestShare


class SharedBudget:
    """A store, and runners that exchange with it in any order; the answer to one of them may be lost."""

    def __init__(self, shards: int, rate: float = 100.0) -> None:
        self.rate = rate
        self.runners = [RequestShare(total_rate=rate, shards=shards) for _ in range(shards)]
        self.targets = [0] * shards
        self.active = [0] * shards
        self.claims = [0] * shards

    def exchange(self, shard: int, *, is_lost: bool = False) -> None:
        """Let one runner give a sign of life."""
        runner = self.runners[shard]
        self.active[shard] = self.targets[shard]
        others = sum(self.claims) - self.claims[shard]
        self.claims[shard] = granted_of(runner.claim, runner.limit, others)
        if not is_lost:
            runner.on_answer(self.claims[shard], own=self.targets[shard], everyone=sum(self.active))

    def replace(self, shard: int) -> None:
        """Let another runner take a shard over."""
        runner = RequestShare(total_rate=self.rate, shards=len(self.runners))
        runner.begin(self.claims[shard])
        self.runners[shard] = runner

    @property
    def rates(self) -> list[float]:
        """What each runner may send in a second."""
        return [runner.rate for runner in self.runners]


STEPS = st.tuples(
    st.sampled_from(["exchange", "exchange", "exchange", "lost", "replace"]),
    st.integers(0, 4),
    st.integers(0, 1000),
)


@given(st.lists(STEPS, max_size=80))
def test_whatever_happens_the_rates_stay_within_the_budget(steps: list[tuple[str, int, int]]) -> None:
    """Targets come and go, runners exchange in any order, die and are replaced, answers are lost."""
    fleet = SharedBudget(5)
    for kind, shard, targets in steps:
        fleet.targets[shard] = targets
        if kind == "replace":
            fleet.replace(shard)
        else:
            fleet.exchange(shard, is_lost=kind == "lost")
        assert sum(fleet.rates) <= 100.0 + 1e-6
        assert min(fleet.rates) > 0


@given(st.lists(st.integers(0, 1000), min_size=5, max_size=5), st.permutations(range(5)))
def test_once_nothing_changes_the_whole_rate_is_used(targets: list[int], order: list[int]) -> None:
    """Within four rounds of signs of life, by targets."""
    fleet = SharedBudget(5)
    fleet.targets = targets
    for _ in range(4):
        for shard in order:
            fleet.exchange(shard)

    assert sum(fleet.rates) == pytest.approx(100.0, abs=1e-4)
    for own, rate in zip(targets, fleet.rates, strict=True):
        share = own / sum(targets) if sum(targets) else 0.2
        assert rate == pytest.approx(0.4 + 98.0 * share, abs=1e-4)


def test_less_counts_at_once_and_more_when_the_others_have_given_it_up() -> None:
    """The runner that has too much slows down when it hears of the others."""
    fleet = SharedBudget(2)
    fleet.targets = [10, 0]
    for _ in range(2):
        fleet.exchange(0)
    assert fleet.rates == pytest.approx([99.0, 1.0])

    fleet.targets = [10, 10]
    fleet.exchange(1)
    fleet.exchange(1)
    assert fleet.rates == pytest.approx([99.0, 1.0])
    fleet.exchange(0)
    assert fleet.rates == pytest.approx([50.0, 1.0])
    fleet.exchange(0)
    fleet.exchange(1)
    assert fleet.rates == pytest.approx([50.0, 50.0])


def test_a_shard_without_a_runner_keeps_its_share() -> None:
    """The one that takes it over begins with that."""
    fleet = SharedBudget(2)
    fleet.targets = [30, 10]
    for _ in range(4):
        fleet.exchange(0)
        fleet.exchange(1)
    before = fleet.rates

    for _ in range(5):
        fleet.exchange(1)
    fleet.replace(0)

    assert fleet.rates == before == pytest.approx([74.5, 25.5])
