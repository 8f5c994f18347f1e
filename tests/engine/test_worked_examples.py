"""The worked examples, with which the hardest files begin, are true."""

from __future__ import annotations

from array import array

import pytest

from bkjob_async.engine.host_table import table as tables
from bkjob_async.engine.host_table.columns import packed_columns
from bkjob_async.engine.host_table.columns.encoding import small_code
from bkjob_async.engine.host_table.columns.listed_order import ListedOrder, pack_ids
from bkjob_async.engine.host_table.columns.packed_columns import PackedColumns
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.poll_view import GroupPollView
from bkjob_async.model.refs import JobRef
from tests.engine.group_polling.test_group_poller import Follower, many, word
from tests.engine.poll_views import JOB, Row


def groups(**hosts: list[int]) -> tuple[GroupPollView, ...]:
    """Return hosts by status: `groups(_7=[11, 13], _9=[12])`."""
    codes = {int(code[1:]): ids for code, ids in hosts.items()}
    return tuple(
        GroupPollView(status=code, size=len(ids), rows=[Row(status=code, bk_host_id=n) for n in ids])
        for code, ids in codes.items()
    )


@pytest.mark.parametrize("most_plain", [0, 64])
def test_the_example_of_the_host_table(most_plain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of three hosts has changed, and its row alone is kept."""
    monkeypatch.setattr(tables, "MAX_PLAIN_HOSTS", most_plain)
    table = HostTable()
    table.apply(groups(_7=[11, 12, 13]), 1)
    response = groups(_7=[11, 13], _9=[12])

    (change,) = table.apply(response, 5).changes

    assert (small_code(7), small_code(9)) == (6, 7)
    assert (change.place, change.before, change.after) == (1, 7, 9)
    assert change.row is not None
    assert change.row.bk_host_id == 12
    assert table.key(1).bk_host_id == 12


def test_the_example_of_the_packed_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts in the table's order are found by one comparison, and one status is replaced."""
    monkeypatch.setattr(packed_columns, "SPARSE", 4)  # one of four is few
    ids, sequences = [13, 11, 12, 14], array("I", [1, 1, 1, 1])
    columns = PackedColumns.of([11, 12, 13, 14], (), sequences, bytes([7, 7, 7, 7]), bytes(4))
    packed = pack_ids(ids)
    assert packed is not None
    places = columns.listed_order(packed, ids, [1, 3])
    assert isinstance(places, ListedOrder)
    found = columns.update(places, bytes([9, 7, 7, 7]), 2)

    assert [*places] == [2, 0, 1, 3]
    assert isinstance(places, ListedOrder)
    assert found is not None
    positions, changed, befores, afters = found
    assert ([*positions], [*changed], [*befores], [*afters]) == ([0], [2], [7], [9])
    assert ([*columns.sequences()], bytes(columns.statuses()), bytes(columns.befores())) == (
        [1, 1, 2, 1],
        bytes([7, 7, 9, 7]),
        bytes([0, 0, 7, 0]),
    )


def test_the_example_of_group_polling() -> None:
    """The largest group is never read; a group that shrank is a contradiction."""
    follower, hosts = Follower(), range(1, 1001)
    follower.poll(many(7, hosts))
    then = many(7, hosts[:700]) | many(9, hosts[700:990]) | many(104, hosts[990:])
    changes = follower.poll(then)
    follower.poll(then)
    follower.poll(many(7, hosts[:700]) | many(9, hosts[700:980]) | many(104, hosts[990:]))

    assert len(changes) == 300
    assert [word(question) for question in follower.asked[1:]] == [
        *("counts 1", "104", "9"),
        "counts 1",
        *("counts 1", "all"),
    ]


def test_the_example_of_the_poll_planner() -> None:
    """A job is polled rarely while it cannot have ended, often when it may, and less often where polls come late."""
    durations = DurationTable()
    for number in range(20):
        durations.learn(JOB.scope, "deploy", None, 58.0 + number % 5)
    planner = PollPlanner(PollIntervals(), durations)
    # The last one began a minute ago.
    jobs = [
        JobState(
            JobRef(JOB.scope, number),
            name="deploy",
            status_code=2,
            is_target=True,
            running_since=-0.06 * number,
        )
        for number in range(1, 1001)
    ]
    for _ in jobs:
        planner.begin()

    def wait_at(age: float, limit: float | None) -> float:
        """Return the mean wait of the jobs of about this age, when each was polled a few times."""
        for _ in range(6):
            waits = [planner.next_poll_at(job, 0.0, limit=limit) for job in jobs]
        of_age = [wait for number, wait in enumerate(waits, 1) if abs(0.06 * number - age) <= 2.0]
        return sum(of_age) / len(of_age)

    early, late, unlimited = wait_at(10.0, 50.0), wait_at(55.0, 50.0), wait_at(55.0, None)
    wait_at(10.0, 50.0)
    cost = planner.request_cost.value(50.0)
    for job in jobs:
        planner.on_request(job, 100.0)

    assert early == pytest.approx(50.0, abs=5.0)
    assert late == pytest.approx(8.0, abs=1.0)
    assert unlimited == pytest.approx(2.0, abs=0.2)
    assert cost == pytest.approx(2.5, abs=0.2)
    assert planner.request_cost.value(50.0) > cost
