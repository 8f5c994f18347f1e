"""A target's shard is the same everywhere and for ever."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.many.placement import Placement

SCOPES = st.one_of(st.integers(1, 10**6).map(bkjob.Scope.biz), st.integers(1, 10**6).map(bkjob.Scope.biz_set))
JOBS = st.builds(bkjob.JobRef, SCOPES, st.integers(1, 2**62))


def test_shards_are_those_of_every_version() -> None:
    """The numbers are pinned: another hash would look for the targets of a fleet in other shards."""
    placement = Placement(shards=16, wide={bkjob.Scope.biz(7): 4})
    refs = ["2:100", "3:100", "biz_set:2:100", "tenant_set:9:1", "7:1", "7:2", "7:3", "7:4"]

    assert [placement.shard_of(bkjob.parse_ref(ref)) for ref in refs] == [12, 1, 4, 11, 4, 2, 3, 4]


@given(JOBS, st.integers(1, 1024))
def test_the_jobs_of_a_scope_stay_together(job: bkjob.JobRef, shards: int) -> None:
    """And the steps of a job are where the job is."""
    placement = Placement(shards=shards)

    shard = placement.shard_of(job)

    assert 0 <= shard < shards
    assert placement.shard_of(bkjob.JobRef(job.scope, 1)) == shard
    assert placement.shard_of(job.step(5)) == shard


@given(JOBS, st.integers(1, 64), st.integers(1, 100))
def test_a_wide_scope_lies_in_so_many_shards(job: bkjob.JobRef, shards: int, wide: int) -> None:
    """At most; a job and its steps still together, other scopes where they were."""
    placement = Placement(shards=shards, wide={job.scope: wide})
    used = {placement.shard_of(bkjob.JobRef(job.scope, number)) for number in range(1, 200)}
    other = bkjob.JobRef(bkjob.Scope.tenant_set(5), 1)

    assert len(used) <= min(wide, shards)
    assert placement.shard_of(job.step(9)) == placement.shard_of(job)
    assert placement.shard_of(other) == Placement(shards=shards).shard_of(other)


def test_scopes_and_the_jobs_of_a_wide_one_are_spread_evenly() -> None:
    """No shard has twice its share of many."""
    refs = [bkjob.JobRef(bkjob.Scope.biz(number), 1) for number in range(1, 4001)]
    wide = [bkjob.JobRef(bkjob.Scope.biz(2), number) for number in range(1, 4001)]

    scopes = Counter(map(Placement(shards=8).shard_of, refs))
    jobs = Counter(map(Placement(shards=8, wide={bkjob.Scope.biz(2): 8}).shard_of, wide))

    assert (len(scopes), len(jobs)) == (8, 8)
    assert max(scopes.values()) < 600
    assert max(jobs.values()) < 600


@given(st.lists(JOBS, max_size=50), st.integers(1, 8))
def test_targets_by_shard_keep_their_order(refs: list[bkjob.JobRef], shards: int) -> None:
    """Each is in one list, in the order in which they came."""
    placement = Placement(shards=shards)

    found = placement.by_shard(refs)

    assert found == {
        shard: [ref for ref in refs if placement.shard_of(ref) == shard] for shard in found if found[shard]
    }
    assert sum(map(len, found.values())) == len(refs)


@pytest.mark.parametrize("shards", [0, -1, 1025, True, 1.5, "16"])
def test_other_numbers_of_shards_are_refused(shards: object) -> None:
    """From 1 to 1024."""
    with pytest.raises(bkjob.UsageError, match="from 1 to 1024"):
        Placement(shards=shards)  # type: ignore[arg-type]


@pytest.mark.parametrize("wide", [[bkjob.Scope.biz(2)], [], "2", 5])
def test_wide_scopes_are_named_by_a_mapping(wide: object) -> None:
    """The message shows one."""
    with pytest.raises(bkjob.UsageError, match=r"wide must be a mapping .*: \{Scope.biz\(2\): 4\}"):
        Placement(shards=4, wide=wide)  # type: ignore[arg-type]


@pytest.mark.parametrize("wide", [{2: 4}, {bkjob.Scope.biz(2): 0}, {bkjob.Scope.biz(2): True}])
def test_other_spreads_are_refused(wide: dict[object, object]) -> None:
    """Scopes, and how many shards each."""
    with pytest.raises(bkjob.UsageError, match="wide names scopes"):
        Placement(shards=4, wide=wide)  # type: ignore[arg-type]
