"""Reading all that a step's answer says: thirteen fields of every host, by cattrs with orjson, compared as dicts."""

from __future__ import annotations

from attrs import frozen
from cattrs.preconf.orjson import make_converter


@frozen
class Host:
    """A host's row, all thirteen fields."""

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
    host_size: int
    tag: str | None
    host_result_list: list[Host]


@frozen
class Step:
    """A step with its groups."""

    step_instance_id: int
    execute_count: int
    status: int
    step_result_group_list: list[Group]


@frozen
class Answer:
    """The whole answer about a step."""

    code: int
    result: bool
    data: Step


CONVERTER = make_converter()


def hosts_in(body: bytes) -> dict[int, Host]:
    """Decode everything; return hosts by id."""
    groups = CONVERTER.loads(body, Answer).data.step_result_group_list
    return {host.bk_host_id: host for group in groups for host in group.host_result_list}


def moves_between(known: dict[int, Host], seen: dict[int, Host]) -> list[tuple[int, int | None, int]]:
    """Return the hosts that stand elsewhere."""
    return [
        (number, known[number].status if number in known else None, host.status)
        for number, host in seen.items()
        if number not in known or known[number].status != host.status
    ]
