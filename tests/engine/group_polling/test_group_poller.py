"""What group counts prove, and what happens when responses are contradictory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.engine.group_polling import group_poller
from bkjob_async.engine.group_polling.group_poller import (
    MAX_DEFERRED_POLLS,
    MIN_CHANGED_SHARE,
    GroupPoller,
    SingleGroup,
    read_mode_of,
)
from bkjob_async.engine.host_table.id_lookups import IdLookups
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import PollRequest, next_request, plan_follow_ups
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import HostChanged
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.poll_view import GroupPollView, StepPollView
from tests.engine.applied import NO_EVENTS, apply_step
from tests.engine.poll_views import JOB, Row, at, hosts_of
from tests.examples import examples

GATEWAY = Capabilities(step_status=True, job_rows_on_request=True, groups=True)
STEP = JOB.step(200)
States = dict[int, tuple[int, str]]


@pytest.fixture(autouse=True)
def every_step_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the hosts of small steps, too."""
    for module in ("tracking.next_request", "responses.step_hosts"):
        monkeypatch.setattr(f"bkjob_async.engine.{module}.MAX_FULL_READ_HOSTS", 0)


def answer(question: PollRequest, states: States, *, run: int = 0, status: int = 2) -> StepPollView:
    """Respond as the platform does: groups by status and tag; rows as requested, of the first group as a last resort."""
    assert isinstance(question, GetStepInstanceStatus)
    groups: dict[tuple[int, str], list[int]] = {}
    for number, group in sorted(states.items()):
        groups.setdefault(group, []).append(number)
    shown = set(groups)
    if question.status is not None:
        asked = (question.status, question.tag or "")
        shown = {asked} if asked in groups else set(sorted(groups)[:1])
    limit = question.max_host_num_per_group
    looks = tuple(
        GroupPollView(
            status=code,
            tag=tag,
            size=len(numbers),
            rows=[Row(status=code, bk_host_id=n) for n in numbers[:limit]] if (code, tag) in shown else None,
        )
        for (code, tag), numbers in sorted(groups.items())
    )
    whole = question.status is None and all(g.rows is not None and len(g.rows) == g.size for g in looks)
    return StepPollView(step_instance_id=200, status=status, execute_count=run, groups=looks, complete=whole)


class Follower:
    """Follows one step by the engine's own plan, and keeps count of what that takes."""

    def __init__(self, *, detail_level: DetailLevel = DetailLevel.EVERY_CHANGE, guess: bool = False) -> None:
        self.state = JobState(JOB)
        self.state.add_target(STEP)
        self.state.detail_level = detail_level
        self.guess = guess
        self.now = 0.0
        self.asked: list[GetStepInstanceStatus] = []
        self.records = 0
        self.known: dict[int, int] = {}

    def poll(self, *snapshots: States, run: int = 0, status: int = 2) -> list[str]:
        """Poll once, each further request meeting the next of *snapshots*; return the changes of hosts."""
        changes: list[str] = []
        self.now += 1.0
        self.state.job_seen_at = self.now  # the job itself is requested now and then, too
        waiting = list(snapshots)
        while True:
            question = next_request(self.state, GATEWAY, requests_are_scarce=self.guess)
            assert isinstance(question, GetStepInstanceStatus)
            self.asked.append(question)
            seen = answer(question, waiting[0], run=run, status=status)
            waiting = waiting[1:] or waiting
            if question.max_host_num_per_group is None:
                self.records += sum(len(group.rows or ()) for group in seen.groups or ())
            for event in apply_step(self.state, seen, at(self.now), read_mode_of(question)):
                if isinstance(event, HostChanged):
                    assert event.host.bk_host_id is not None
                    before = event.before.code if event.before else None
                    assert self.known.get(event.host.bk_host_id) == before or run
                    self.known[event.host.bk_host_id] = event.after.code
                    changes.append(f"{event.host.bk_host_id}:{before}>{event.after.code}{event.tag}")
            plan_follow_ups(self.state, question, GATEWAY)
            if not self.state.pending:
                return changes

    @property
    def last(self) -> str:
        """What was requested last, in a word."""
        return word(self.asked[-1])


def word(question: GetStepInstanceStatus) -> str:
    """Return how a request reads a step, in a word."""
    if question.status is not None:
        return f"{question.status}{question.tag or ''}"
    limit = question.max_host_num_per_group
    return "all" if limit is None else f"counts {limit}"


def many(code: int, numbers: Sequence[int], tag: str = "") -> States:
    """Return hosts that stand alike."""
    return dict.fromkeys(numbers, (code, tag))


def test_equal_counts_are_one_small_question() -> None:
    """Statuses only move forward, so what counts alike has not moved."""
    follower = Follower()
    follower.poll(many(7, range(1, 9)))

    assert follower.poll(many(7, range(1, 9))) == []
    assert [word(question) for question in follower.asked] == ["all", "counts 1"]


def test_equal_counts_are_passed_over() -> None:
    """What counts alike while nothing is about to end is no change at all, yet the step counts as seen."""
    follower = Follower()
    follower.poll(many(7, range(1, 9)))
    follower.poll(many(7, range(1, 9)))
    question = next_request(follower.state, GATEWAY)
    assert isinstance(question, GetStepInstanceStatus)
    seen = answer(question, many(7, range(1, 9)))

    assert apply_step(follower.state, seen, at(9.0), read_mode_of(question)) is NO_EVENTS
    assert follower.state.seen_at == 9.0


def test_all_groups_that_moved_are_read_but_the_largest() -> None:
    """The hosts that no list had stand in the one group that was not read."""
    follower = Follower()
    follower.poll(many(5, range(1, 9)))
    changes = follower.poll({**many(5, [1, 2]), **many(7, [3, 4, 5]), **many(9, [6, 7, 8])})

    assert [word(question) for question in follower.asked[1:]] == ["counts 1", "7", "5"]
    assert sorted(changes) == ["3:5>7", "4:5>7", "5:5>7", "6:5>9", "7:5>9", "8:5>9"]


@pytest.mark.parametrize(
    ("waiting", "over"),
    [
        pytest.param(range(8, 30), range(1, 6), id="most still wait"),
        pytest.param(range(28, 30), range(1, 26), id="most are over"),
    ],
)
def test_who_waits_need_not_be_read_where_nobody_skipped_the_run(waiting: range, over: range) -> None:
    """Everybody who left the waiting is seen running, so whoever ran before and does not is over."""
    follower = Follower()
    begun = over.stop
    start = {**many(5, range(begun + 1, 30)), **many(7, [begun - 1, begun]), **many(9, over[:-1])}
    follower.poll(start)
    after = {**start, **many(7, range(begun, waiting.start)), begun - 1: (9, "")}
    changes = follower.poll(after)

    assert [word(question) for question in follower.asked[1:]] == ["counts 1", "7"]
    assert follower.known == codes_of(after)
    assert f"{begun - 1}:7>9" in changes


def test_who_skipped_the_run_is_found() -> None:
    """A host that was not seen running makes the counts disagree, and the smaller of both lists tells who it was."""
    follower = Follower()
    start = {**many(9, range(1, 20)), **many(7, [20, 21]), **many(5, range(22, 40))}
    follower.poll(start)
    changes = follower.poll({**start, 20: (9, ""), 22: (7, ""), 23: (9, "")})

    assert [word(question) for question in follower.asked[1:]] == ["counts 1", "7", "5"]
    assert sorted(changes) == ["20:7>9", "22:5>7", "23:5>9"]


def test_where_one_group_is_left_nothing_need_be_read() -> None:
    """All hosts moved on to the only group there is; counts show one of them, and all get the group's tag."""
    follower = Follower()
    follower.poll(many(7, range(1, 5)))

    assert follower.poll(many(9, range(1, 5), "ok")) == ["1:7>9ok", "2:7>9ok", "3:7>9ok", "4:7>9ok"]
    assert follower.last == "counts 1"


def test_a_final_group_that_did_not_grow_is_not_read() -> None:
    """Nothing leaves a final status within one execution."""
    follower = Follower()
    start = {**many(9, range(1, 4)), **many(104, [4, 5]), **many(7, range(6, 14))}
    follower.poll(start)
    changes = follower.poll({**start, 6: (104, "")})

    assert [word(question) for question in follower.asked[1:]] == ["counts 1", "104"]
    assert changes == ["6:7>104"]


def test_a_guess_brings_all_groups_but_the_largest_at_once() -> None:
    """Where requests are scarcer than bytes, one response is enough; after a wrong guess there are more."""
    follower = Follower(guess=True)
    follower.poll({**many(7, range(1, 9)), **many(9, [9, 10])})
    right = follower.poll({**many(7, range(2, 9)), **many(9, [1, 9, 10])})
    wrong = follower.poll({**many(7, range(2, 4)), **many(9, [1, *range(4, 11)])})
    follower.poll(many(9, range(1, 11)))

    assert right == ["1:7>9"]
    assert [word(question) for question in follower.asked[:2]] == ["all", "counts 3"]
    assert sorted(wrong) == ["4:7>9", "5:7>9", "6:7>9", "7:7>9", "8:7>9"]


def test_a_guess_leaves_out_who_waits_and_who_is_over() -> None:
    """While hosts take turns, those that run, and those that failed, tell where all others stand."""
    follower = Follower(guess=True)
    states = {**many(9, range(1, 20)), **many(7, [20, 21]), **many(5, range(22, 60))}
    follower.poll(states)
    for number in range(20, 30):
        follower.poll(states := {**states, number: (9, ""), number + 2: (7, "")})

    assert [word(question) for question in follower.asked[1:]] == ["counts 3"] * 10
    assert follower.known == codes_of(states)


def test_while_hosts_move_one_request_shows_the_counts_and_who_moved() -> None:
    """It lists those that run, while the others wait or have ended; not where only one of two polls found changes."""
    follower = Follower()
    states = {**many(7, [1, 2, 3]), **many(5, range(4, 40))}
    follower.poll(states)
    for number in range(1, 5):
        follower.poll(states := {**states, number: (9, ""), number + 3: (7, "")})
    follower.poll(states)
    follower.poll(states := {**states, 5: (9, "")})
    follower.poll(states)

    asked = [word(question) for question in follower.asked]
    assert asked == ["all", *["counts 1", "7"] * 2, "7", "7", "7", "counts 1", "7", "counts 1"]
    assert follower.known == codes_of(states)


def test_a_group_that_is_likely_to_change_may_be_the_largest_or_gone_by_then() -> None:
    """The one to be read is requested then; where none is left, the platform lists the first group instead."""
    follower = Follower()
    follower.poll(many(7, range(1, 41)))
    for ended in (5, 10, 30, 40):
        follower.poll(states := many(9, range(1, ended + 1)) | many(7, range(ended + 1, 41)))

    asked = [word(question) for question in follower.asked]
    assert asked == ["all", "counts 1", "9", "counts 1", "9", "9", "7", "7"]
    assert follower.known == codes_of(states)


def test_tags_are_read_one_by_one() -> None:
    """The platform lists the hosts of one status and one tag, of the empty one where none is named."""
    follower = Follower()
    follower.poll(many(7, range(1, 10)))
    changes = follower.poll({**many(9, [1, 2], "a"), **many(9, [3]), **many(7, range(4, 10))})

    assert [word(question) for question in follower.asked[1:]] == ["counts 1", "9a"]
    assert sorted(changes) == ["1:7>9", "2:7>9", "3:7>9"]


@pytest.mark.parametrize(
    ("snapshots", "after"),
    [
        pytest.param(
            ({**many(7, range(1, 8)), **many(9, [8, 9])}, many(7, range(1, 10))),
            {},
            id="the group that was asked for is gone, and the first one comes instead",
        ),
        pytest.param(
            (
                {**many(7, range(1, 8)), **many(9, [8, 9])},
                {**many(7, range(1, 8)), **many(9, [8, 10])},
                {**many(7, range(1, 8)), **many(9, [8, 9, 10])},
            ),
            {8: 9, 9: 9, 10: 9},
            id="a host that nobody knew stands in the group that was asked for",
        ),
        pytest.param((many(7, range(1, 12)),), {10: 7, 11: 7}, id="more hosts are counted than are known"),
        pytest.param((many(7, range(1, 9)),), {}, id="fewer hosts are counted than are known"),
        pytest.param((many(5, range(1, 10)),), dict.fromkeys(range(1, 10), 5), id="hosts went backward"),
    ],
)
def test_what_does_not_add_up_is_read_in_full(snapshots: tuple[States, ...], after: dict[int, int]) -> None:
    """Counts prove nothing once responses disagree; no host gets a status that it was not seen in."""
    follower = Follower()
    start = many(7, range(1, 10))
    follower.poll(start)
    follower.poll(*snapshots)

    assert follower.last == "all"
    assert follower.known == {**dict.fromkeys(range(1, 10), 7), **after}


@pytest.mark.parametrize(
    ("snapshots", "asked", "after"),
    [
        pytest.param(
            [many(7, range(3, 21)) | many(9, [1, 2]), many(7, range(4, 21)) | many(9, [1, 2, 3])],
            ["counts 1", "9"],
            {1: 9, 2: 9, 3: 9},
            id="the list that was asked for has all that moved",
        ),
        pytest.param(
            [
                many(7, range(6, 21)) | many(9, [1, 2, 3]) | many(104, [4, 5]),
                many(7, range(7, 21)) | many(9, [1, 2, 3, 6]) | many(104, [4, 5]),
                many(7, range(8, 21)) | many(9, [1, 2, 3, 6]) | many(104, [4, 5, 7]),
            ],
            ["counts 1", "104", "9"],
            {1: 9, 2: 9, 3: 9, 4: 104, 5: 104, 6: 9},
            id="a group that was read has grown since: nobody knows by whom",
        ),
        pytest.param(
            [
                many(7, range(15, 21)) | many(9, range(1, 13)) | many(104, [13, 14]),
                many(7, range(16, 21)) | many(9, range(1, 13)) | many(104, [13, 14, 15]),
                many(7, range(18, 21)) | many(9, [*range(1, 13), 16]) | many(104, [13, 14, 15, 17]),
            ],
            ["counts 1", "7", "104"],
            {**dict.fromkeys(range(1, 13), 9), **dict.fromkeys([13, 14, 15, 17], 104)},
            id="who ran when those that run were listed does not count among those who had failed by then",
        ),
        pytest.param(
            [
                many(7, range(11, 21)) | many(9, range(1, 11)) | many(104, []),
                many(7, range(11, 20)) | many(9, range(1, 11)) | many(104, [20]),
            ],
            ["counts 1", "7", "104"],
            {**dict.fromkeys(range(1, 11), 9), 20: 104},
            id="another group has grown since, and is read as well",
        ),
    ],
)
def test_hosts_may_move_between_two_answers(
    snapshots: list[States], asked: list[str], after: dict[int, int]
) -> None:
    """What is listed is true; of the rest only what all lists leave over is reported."""
    follower = Follower()
    follower.poll(many(7, range(1, 21)))
    follower.poll(*snapshots)

    assert [word(question) for question in follower.asked[1:]] == asked
    assert follower.known == {**dict.fromkeys(range(1, 21), 7), **after}
    follower.poll(snapshots[-1])
    assert follower.known == codes_of(snapshots[-1])
    assert "all" not in [word(question) for question in follower.asked[1:]]


def test_counts_are_trusted_again_later_each_time() -> None:
    """A step that never adds up costs little more than reading it in full."""
    follower = Follower()
    for number in range(60):
        follower.poll(many(7, range(1, 9 + number % 2)))

    asked = [word(question) for question in follower.asked]
    assert asked.count("counts 1") <= 8
    assert asked.count("all") >= 55


def test_a_step_is_read_in_full_now_and_then() -> None:
    """Two hosts that changed places would never show in counts."""
    follower = Follower()
    start = {1: (7, ""), 2: (9, ""), 3: (7, "")}
    swapped = {1: (9, ""), 2: (7, ""), 3: (7, "")}
    follower.poll(start)
    assert follower.poll(swapped) == []
    follower.now += group_poller.FULL_READ_INTERVAL
    follower.poll(swapped)

    assert sorted(follower.poll(swapped)) == ["1:7>9", "2:9>7"]


def test_the_end_is_read_in_full() -> None:
    """Exit codes and times come with the last response, and it alone settles a step."""
    follower = Follower()
    follower.poll(many(7, range(1, 5)))
    follower.poll(many(9, range(1, 5)), status=3)
    assert not follower.state.is_over(STEP)
    follower.poll(many(9, range(1, 5)), status=3)

    assert [word(question) for question in follower.asked] == ["all", "counts 1", "all"]
    assert follower.state.is_over(STEP)


def test_another_execution_is_read_from_its_beginning() -> None:
    """Counts of a new execution cannot be held against the hosts of the one before."""
    follower = Follower()
    follower.poll(many(7, range(1, 5)))
    follower.poll(many(5, range(1, 5)), run=1)

    assert follower.last == "all"
    assert follower.known == dict.fromkeys(range(1, 5), 5)


def test_a_watch_for_the_end_reads_hosts_at_the_end() -> None:
    """Until then, counts carry the step's status; the first poll may already be of the end."""
    follower = Follower(detail_level=DetailLevel.END_ONLY)
    assert follower.poll(many(7, range(1, 5))) == []
    assert follower.poll(many(9, range(1, 5)), status=3) == []

    assert sorted(follower.poll(many(9, range(1, 5)), status=3)) == [
        "1:None>9",
        "2:None>9",
        "3:None>9",
        "4:None>9",
    ]
    assert [word(question) for question in follower.asked] == ["all", "counts 1", "all"]
    assert follower.state.is_over(STEP)


def test_small_moves_may_collect_but_not_for_long() -> None:
    """A watch for final states reads when it is worth it, and after a few polls at the latest."""
    follower = Follower(detail_level=DetailLevel.COALESCED)
    states = many(7, range(1, 101)) | many(9, range(101, 200))
    follower.poll(states)
    states[1] = (9, "")
    changes = [follower.poll(states) for _ in range(MAX_DEFERRED_POLLS + 1)]

    assert changes == [[]] * MAX_DEFERRED_POLLS + [["1:7>9"]]


moves = st.lists(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from([7, 9, 9, 9, 104, 403])), max_size=8), max_size=25
)


@settings(max_examples=examples(150), deadline=None)
@given(looks=moves, guess=st.booleans())
def test_what_is_followed_exactly_is_known_after_every_look(
    *, looks: list[list[tuple[int, int]]], guess: bool
) -> None:
    """By counts, groups and inference as by reading everything; in full it is read at both ends only."""
    follower = Follower(guess=guess)
    states = many(5, range(1, 31))
    follower.poll(states)
    for steps in looks:
        move_on(states, steps)
        follower.poll(states)
        assert follower.known == codes_of(states)
    follower.poll(states, status=3)
    follower.poll(states, status=3)

    assert Counter(map(word, follower.asked))["all"] <= 3


@settings(max_examples=examples(300), deadline=None)
@given(looks=st.lists(moves, max_size=12), guess=st.booleans())
def test_who_moves_during_a_look_is_known_at_the_next(
    *, looks: list[list[list[tuple[int, int]]]], guess: bool
) -> None:
    """Whatever moves between two responses: a poll finds all that had happened when it began, and nothing that never did."""
    follower = Follower(guess=guess)
    states = many(5, range(1, 31))
    follower.poll(states)
    for answers in looks:
        snapshots, possible = (
            [dict(states)],
            {n: {follower.known[n], code} for n, code in codes_of(states).items()},
        )
        for steps in answers:
            move_on(states, steps)
            snapshots.append(dict(states))
            for number, code in codes_of(states).items():
                possible[number].add(code)
        follower.poll(*snapshots)
        for number, code in codes_of(snapshots[0]).items():
            assert follower.known[number] in possible[number]
            assert RANKS.get(follower.known[number], 2) >= RANKS.get(code, 2)
        assert len(follower.known) == 30
    follower.poll(states)
    assert follower.known == codes_of(states)


RANKS = {5: 0, 7: 1}


@settings(max_examples=examples(150), deadline=None)
@given(moves)
def test_no_more_is_read_than_the_bound_says(looks: list[list[tuple[int, int]]]) -> None:
    """Read at most 2N + moves/MIN_CHANGED_SHARE, and N for each time that few moves had waited long enough."""
    follower = Follower(detail_level=DetailLevel.COALESCED)
    states = many(5, range(1, 31))
    follower.poll(states)
    moved = waited = long_waits = 0
    for steps in looks:
        moved += move_on(states, steps)
        unread = sum(follower.known[n] != code for n, code in codes_of(states).items())
        records = follower.records
        follower.poll(states)
        waited = waited + 1 if unread else 0
        if follower.records > records and unread < MIN_CHANGED_SHARE * (follower.records - records):
            assert waited > MAX_DEFERRED_POLLS
            long_waits += 1
        waited = 0 if follower.known == codes_of(states) else waited
        assert waited <= MAX_DEFERRED_POLLS
    follower.poll(states, status=3)
    follower.poll(states, status=3)

    assert follower.known == codes_of(states)
    assert follower.records <= 2 * 30 + moved / MIN_CHANGED_SHARE + 30 * long_waits


def move_on(states: States, steps: list[tuple[int, int]]) -> int:
    """StatusChange hosts that are not over forward; return how many moved."""
    moved = 0
    for number, code in steps:
        if states[number][0] in (5, 7) and code != states[number][0]:
            states[number] = (code, "")
            moved += 1
    return moved


def codes_of(states: States) -> dict[int, int]:
    """Return every host's code."""
    return {number: code for number, (code, _) in states.items()}


def test_a_row_that_names_nobody_proves_nothing() -> None:
    """A list of the right length that leaves its hosts unnamed is no list of these hosts."""
    table, poller = hosts_of(*(Row(status=7, bk_host_id=n) for n in range(1, 5))), GroupPoller(0.0)
    changes = [GroupPollView(status=7, size=2), GroupPollView(status=9, size=2)]
    assert poller.begin_round(table, changes, may_defer=False)

    assert poller.next_read(0.0, single_request=False) == SingleGroup(7, "")
    listed = [listing(changes[0], Row(status=7, bk_host_id=1), Row(status=7)), changes[1]]
    assert poller.apply_group(table, listed, SingleGroup(7, ""), 2, IdLookups()) is None
    poller.record_rows(table.apply(listed, 2), listed, requested=SingleGroup(7, ""))

    assert (poller.infer_remaining(), poller.needs_full_read) == (None, True)


def test_a_failed_host_in_another_group_is_another_row_of_it() -> None:
    """A rolling step lists a host once a batch. Counts that are older than the lists do not show that yet."""
    follower = Follower(guess=True)
    follower.poll(many(7, [1]) | many(9, [2]) | many(18, range(3, 9)) | many(2, [9]))
    question = next_request(follower.state, GATEWAY, requests_are_scarce=True)
    assert isinstance(question, GetStepInstanceStatus)
    seen = answer(question, many(9, [1, 2]) | many(18, range(3, 9)) | many(2, [9]))
    assert seen.groups is not None
    cast("list[Row]", seen.groups[0].rows).append(Row(status=2, bk_host_id=8))
    events = apply_step(follower.state, seen, at(5.0), read_mode_of(question))
    plan_follow_ups(follower.state, question, GATEWAY)

    assert not events
    assert follower.state.pending  # the same poll reads all hosts


def listing(group: GroupPollView, *rows: Row) -> GroupPollView:
    """Return a group that lists *rows*."""
    return GroupPollView(status=group.status, tag=group.tag, size=group.size, rows=rows)


def test_an_outdated_answer_ends_the_round() -> None:
    """Within a round a replica that lags behind shows the execution before: the group is not requested again at once."""
    follower = Follower()
    follower.poll(many(7, range(1, 41)), run=1)
    moved = many(7, range(4, 41)) | many(9, range(1, 3)) | many(104, [3])
    asked = []
    for run in (1, 0):
        question = next_request(follower.state, GATEWAY)
        assert isinstance(question, GetStepInstanceStatus)
        asked.append(word(question))
        apply_step(follower.state, answer(question, moved, run=run), at(5.0 + run), read_mode_of(question))
        plan_follow_ups(follower.state, question, GATEWAY)

    assert asked[0] == "counts 1"
    assert asked[1] != "counts 1"
    assert not follower.state.pending
    question = next_request(follower.state, GATEWAY)
    assert isinstance(question, GetStepInstanceStatus)
    assert question.status is None
