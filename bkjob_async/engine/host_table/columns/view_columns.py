"""Columns of a poll view: one item for each host row of all its groups, in the order of the response."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async.engine.host_table.columns.encoding import small_code, small_codes
from bkjob_async.model.poll_view import GroupPollView, HostRow


def joined(lists: Sequence[Sequence[HostRow]]) -> Sequence[HostRow]:
    """Return the rows of all *lists*."""
    if len(lists) == 1:
        return lists[0]
    rows: list[HostRow] = []
    for each in lists:
        rows += each
    return rows


def codes_in(groups: Sequence[GroupPollView]) -> list[int]:
    """Return the status code of each row, that of its group where it has one."""
    return [
        row.status if group.status is None else group.status for group in groups for row in group.rows or ()
    ]


def tags_in(groups: Sequence[GroupPollView]) -> list[str]:
    """Return the tag of each row, that of its group where it has none of its own."""
    return [row.tag or group.tag for group in groups for row in group.rows or ()]


def small_codes_in(groups: Sequence[GroupPollView]) -> bytes:
    """Return the status code of each row as one byte."""
    return b"".join(
        [
            small_codes([row.status for row in group.rows])
            if group.status is None
            else bytes((small_code(group.status),)) * len(group.rows)
            for group in groups
            if group.rows
        ]
    )


def lists_all_hosts(groups: Sequence[GroupPollView]) -> bool:
    """Return whether every group that lists hosts lists as many as it counts."""
    return all(
        group.status is None or group.rows is None or len(group.rows) == group.size for group in groups
    )
