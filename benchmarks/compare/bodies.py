"""Bodies of the gateway's responses about a step, for any number of hosts."""

from __future__ import annotations

import json
from collections.abc import Iterable

STEP = 1
FIRST_HOST = 100_001
DESCRIPTIONS = {5: "waiting", 7: "running", 9: "success", 104: "failed"}


def step_body(hosts: int, *, moved: Iterable[int] = ()) -> bytes:
    """Return the body for a step of *hosts* running hosts; the hosts numbered in *moved* have succeeded."""
    done = set(moved)
    places = {7: [n for n in range(hosts) if n not in done], 9: sorted(done)}
    groups = [
        {
            "result_type": code,
            "result_type_desc": DESCRIPTIONS[code],
            "tag": "",
            "host_size": len(numbers),
            "host_result_list": [host_row(number, code) for number in numbers],
        }
        for code, numbers in places.items()
        if numbers
    ]
    data = {
        "step_instance_id": STEP,
        "execute_count": 0,
        "name": "prepare the hosts",
        "type": 1,
        "status": 2,
        "create_time": 1_700_000_000_000,
        "start_time": 1_700_000_000_060,
        "end_time": None,
        "total_time": 61_500,
        "step_result_group_list": groups,
    }
    response = {"code": 0, "result": True, "job_request_id": "5f0c1de2a7b84d6c", "data": data}
    return json.dumps(response, separators=(",", ":")).encode()


def host_row(number: int, code: int) -> dict[str, object]:
    """Return the row of one host with all thirteen fields."""
    return {
        "bk_host_id": FIRST_HOST + number,
        "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "ipv6": None,
        "bk_agent_id": None,
        "bk_cloud_id": 0,
        "bk_cloud_name": "default area",
        "status": code,
        "status_desc": DESCRIPTIONS[code],
        "tag": "",
        "exit_code": 0,
        "start_time": 1_700_000_000_100,
        "end_time": 1_700_000_060_900,
        "total_time": 60_800,
    }


def poll_bodies(hosts: int) -> tuple[bytes, ...]:
    """Return the bodies of successive polls, to be repeated; from 100 hosts up, 1 % of the hosts move at each."""
    if hosts < 100:
        return (step_body(hosts),)
    return (step_body(hosts), step_body(hosts, moved=range(0, hosts, 100)))
