"""A full read: the whole step response as attrs classes, thirteen fields a host, and dicts compared."""

from __future__ import annotations

from attrs import frozen


@frozen
class Host:
    """A host's row. What the platform learns when a host ends is null until then."""

    bk_host_id: int
    ip: str
    ipv6: str | None
    bk_agent_id: str | None
    bk_cloud_id: int
    bk_cloud_name: str
    status: int
    status_desc: str
    tag: str | None
    exit_code: int | None
    start_time: int | None
    end_time: int | None
    total_time: int | None


@frozen
class Group:
    """A group of hosts."""

    result_type: int
    result_type_desc: str
    tag: str | None
    host_size: int
    host_result_list: list[Host]


@frozen
class Step:
    """A step with its groups."""

    step_instance_id: int
    execute_count: int
    name: str
    type: int
    status: int
    create_time: int
    start_time: int | None
    end_time: int | None
    total_time: int | None
    step_result_group_list: list[Group]


@frozen
class StepResponse:
    """The whole response."""

    code: int
    result: bool
    data: Step


def hosts_by_id(response: StepResponse) -> dict[int, Host]:
    """Return the hosts of a step by their id."""
    groups = response.data.step_result_group_list
    return {host.bk_host_id: host for group in groups for host in group.host_result_list}


def changed_hosts(before: dict[int, Host], after: dict[int, Host]) -> list[tuple[int, int | None, int]]:
    """Return (host id, old status, new status) of every host whose status changed; old is None for a new host."""
    return [
        (number, before[number].status if number in before else None, host.status)
        for number, host in after.items()
        if number not in before or before[number].status != host.status
    ]
