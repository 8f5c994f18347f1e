"""Hosts of many steps that are the same machine are one object, as long as somebody has it."""

from __future__ import annotations

from unittest import mock

from bkjob_async.engine.host_table import machines as module
from bkjob_async.engine.host_table.machines import Machines
from bkjob_async.engine.stream.cursor import CursorSequence
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.refs import HostKey, JobRef, Scope
from tests.engine.applied import apply_job
from tests.engine.poll_views import Row, step
from tests.engine.poll_views import job as running


def row(number: int, ip: str | None = None) -> Row:
    """Return a row of machine *number*."""
    return Row(status=7, bk_host_id=number, ip=ip or f"10.0.{number >> 8}.{number & 255}")


def test_equal_names_are_one_object() -> None:
    """By id and address, by address alone, by IPv6 address, and of containers."""
    machines = Machines()
    rows = [
        row(1),
        Row(status=7, ip="10.0.0.1"),
        Row(status=7, bk_host_id=2, ipv6="fd00::1"),
        Row(status=7, container_id=5, bk_cloud_id=None),
        Row(status=7, container_id=6, bk_cloud_id=None, container_name="app"),
        Row(status=7, bk_host_id=3),
    ]

    keys = [machines.key(each) for each in rows]

    assert [machines.key(each) is key for each, key in zip(rows, keys, strict=True)] == [True] * len(rows)
    names = ["0:10.0.0.1", "0:10.0.0.1", "0:[fd00::1]", "container#5", "app", "#3"]
    assert [str(key) for key in keys] == names


def test_a_machine_with_another_address_has_other_names() -> None:
    """The newest are kept."""
    machines = Machines()
    first = machines.key(row(1))

    moved = machines.key(row(1, "10.9.9.9"))

    assert (first.ip, moved.ip) == ("10.0.0.1", "10.9.9.9")
    assert machines.key(row(1, "10.9.9.9")) is moved


def test_machines_that_nobody_has_are_dropped() -> None:
    """Those in use stay one object, however many have been seen since."""
    machines, kept = Machines(), list[HostKey]()
    with mock.patch.object(module, "FEWEST_SWEPT", 10):
        machines = Machines()
        for number in range(1, 1001):
            key = machines.key(row(number))
            machines.key(Row(status=7, ip=f"10.1.{number >> 8}.{number & 255}"))
            if number % 100 == 0:
                kept.append(key)

        assert len(machines) <= 2 * len(kept) + 10
        assert [machines.key(row(key.bk_host_id or 0)) is key for key in kept] == [True] * 10


def test_the_jobs_of_a_client_share_their_machines() -> None:
    """The hosts of two jobs that are the same machine have one key."""
    sequence = CursorSequence("0a1b2c3d")
    found = []
    for number in (1, 2):
        job = JobRef(Scope.biz(2), number)
        state = JobState(job, is_target=True)
        apply_job(state, running(2, step(2, [row(1), row(2)])), sequence.next_stamp(1.0, 1.0))
        found.append(state.step(200).hosts.keys)

    assert found[0] is found[1]
    assert [key.bk_host_id for key in found[0]] == [1, 2]


def test_long_lists_of_hosts_share_their_machines_only() -> None:
    """Of short ones each is kept once, as long as there are few."""
    machines = Machines()
    few, many = (machines.keys([row(n) for n in range(1, size + 1)]) for size in (3, module.MAX_LISTED + 1))

    kept = machines.list_of(few)

    assert machines.list_of([*few]) is kept
    assert machines.list_of([*many]) == machines.list_of(many)
    assert machines.list_of([*many]) is not machines.list_of(many)
    for number in range(module.MAX_LISTS):
        machines.list_of([machines.key(row(number + 1))])
    assert machines.list_of(few) == kept
    assert machines.list_of(few) is not kept
