"""The worked examples, with which the hardest files begin, are true."""

from __future__ import annotations

import pytest

from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.refs import JobRef
from tests.engine.group_polling.test_group_poller import Follower, many, word
from tests.engine.poll_views import JOB


def test_the_example_of_group_polling() -> None:
    """The largest group is never read, one that goes on changing is read at once; a group that shrank is a contradiction."""
    follower, hosts = Follower(), range(1, 1001)
    follower.poll(many(7, hosts))
    then = many(7, hosts[:700]) | many(9, hosts[700:990]) | many(104, hosts[990:])
    later = many(7, hosts[:690]) | many(9, hosts[690:990]) | many(104, hosts[990:])
    latest = many(7, hosts[:680]) | many(9, hosts[680:990]) | many(104, hosts[990:])
    changes = [len(follower.poll(states)) for states in (then, then, later, latest, latest, latest)]
    follower.poll(many(7, hosts[:700]) | many(9, hosts[700:980]) | many(104, hosts[990:]))

    assert changes == [300, 0, 10, 10, 0, 0]
    assert [word(question) for question in follower.asked[1:]] == [
        *("counts 1", "104", "9"),
        "counts 1",
        *("counts 1", "9"),
        *("counts 1", "9"),
        "9",
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
