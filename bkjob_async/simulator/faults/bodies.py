"""Change response bodies: rows, status codes, fields and encodings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from bkjob_async.http_messages import HttpResponse

# All names of lists of hosts, in all dialects.
HOST_LISTS = frozenset(
    {
        "host_result_list",
        "step_ip_result_list",
        "step_execute_object_result_list",
        "step_ip_status",
        "ip_list",
    }
)
UNKNOWN_RUN_CODE, UNKNOWN_HOST_CODE = 99, 888


def garble(response: HttpResponse) -> HttpResponse:
    """Return bytes that are no JSON and no text."""
    return replace(response, body=bytes(byte ^ 0x5A for byte in response.body[:512]) or b"\x00\xff\xfe")


def encode_as_gbk(response: HttpResponse) -> HttpResponse:
    """Return the response in GBK, declared as UTF-8, with a word that differs in both."""
    text = response.body.decode("utf-8", "replace").replace("{", '{"说明":"编码",', 1)
    headers = {**response.headers, "content-type": "application/json; charset=utf-8"}
    return replace(response, headers=headers, body=text.encode("gbk", "replace"))


def duplicate_rows(response: HttpResponse) -> HttpResponse:
    """Return the response with the first row of every host list twice."""
    return rewrite_json(response, lambda rows: [*rows, *rows[:1]])


def drop_rows(response: HttpResponse) -> HttpResponse:
    """Return the response without the first row of every host list."""
    return rewrite_json(response, lambda rows: rows[1:])


def use_unknown_codes(response: HttpResponse) -> HttpResponse:
    """Return the response with unknown codes for the first host of each list and for every step."""

    def strange(rows: list[Any]) -> list[Any]:
        for row in rows[:1]:
            if isinstance(row, dict) and "status" in row:
                row["status"] = UNKNOWN_HOST_CODE
        return rows

    return rewrite_json(response, strange, step_instance_id=UNKNOWN_RUN_CODE)


def add_unknown_fields(response: HttpResponse) -> HttpResponse:
    """Return the response with unknown fields in every object."""
    value = decode_json(response)
    return (
        response if value is None else replace(response, body=msgspec.json.encode(with_unknown_fields(value)))
    )


def with_unknown_fields(value: Any) -> Any:
    """Add a field to every object."""
    if isinstance(value, dict):
        more = {key: with_unknown_fields(held) for key, held in value.items()}
        return {"bk_future": {"since": "4.0"}, **more, "zz_list": [None, 1, "x"]}
    return [with_unknown_fields(held) for held in value] if isinstance(value, list) else value


def rewrite_json(
    response: HttpResponse, change: Callable[[list[Any]], list[Any]], **statuses: int
) -> HttpResponse:
    """Change every host list, and the status of every object that has a key of *statuses*."""
    value = decode_json(response)
    if value is None:
        return response

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(held) for held in part]
        if not isinstance(part, dict):
            return part
        for key, held in part.items():
            is_host_list = key in HOST_LISTS and isinstance(held, list)
            part[key] = change(held) if is_host_list else walk(held)
        for key, code in statuses.items():
            if key in part and "status" in part:
                part["status"] = code
        return part

    return replace(response, body=msgspec.json.encode(walk(value)))


def decode_json(response: HttpResponse) -> Any:
    """Return the JSON of a response, None for one without."""
    try:
        return msgspec.json.decode(response.body)
    except msgspec.MsgspecError:
        return None
