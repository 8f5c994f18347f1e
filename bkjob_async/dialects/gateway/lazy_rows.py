"""Host rows of which a poll read only id and code; the rest is read from the same bytes on request.

A poll of ten thousand hosts of which a hundred changed reads a fifth of each row, and a hundred rows in full.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from operator import is_
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from bkjob_async.dialects.common.envelopes import parse_json
from bkjob_async.dialects.common.host_rows import FlatHostRow, FullHostRow, GroupedHostRow, read_row_in_part
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.status_structs import STRICT_ERRORS, EnvelopeStruct, JobDataStruct
from bkjob_async.dialects.gateway.v3_structs import StepDataStruct
from bkjob_async.model.poll_view import HostRow

_ROW = msgspec.json.Decoder(FullHostRow)
_ROWS = msgspec.json.Decoder(list[FullHostRow])
_SPLIT_ROWS = msgspec.json.Decoder(list[Raw] | None)

NOTHING = Raw(b"null")
PolledData = StepDataStruct[Any] | JobDataStruct[Any]


class GroupBytes(Struct, gc=False):
    """The rows of a group, as bytes."""

    host_result_list: Raw = NOTHING


class StepBytes(Struct, gc=False):
    """The rows of a step in a response about a job, as bytes."""

    step_ip_result_list: Raw = NOTHING


class GroupsBytes(Struct, gc=False):
    """The groups of a step."""

    step_result_group_list: list[GroupBytes]


class StepsBytes(Struct, gc=False):
    """The steps of a job."""

    step_instance_list: list[StepBytes] | None = None


_GROUPS = msgspec.json.Decoder(EnvelopeStruct[GroupsBytes])
_STEPS = msgspec.json.Decoder(EnvelopeStruct[StepsBytes])

# Where one in so many rows of a list is wanted, all are read at once.
BULK_SHARE = 16


AnyRow = FlatHostRow | GroupedHostRow | FullHostRow


class RowList(Struct, frozen=True):
    """Rows of one list; *status* and *tag* are its group's, None where it has none."""

    rows: Sequence[AnyRow]
    status: int | None = None
    tag: str | None = None


class LazyHostRows(Struct, eq=False, gc=False):
    """The host rows of one response, each read in full when it is asked for.

    *data* is what was decoded of the *body*. *full* are the rows that were asked for, by the identity of the row that was
    read in part; *all_rows* are all of them, where all were asked for.
    """

    body: bytes
    data: PolledData
    full: dict[int, FullHostRow] = field(default_factory=dict)
    all_rows: Sequence[FullHostRow] | None = None

    def in_full(self, rows: Sequence[HostRow]) -> Sequence[FullHostRow]:
        """Return *rows* with all members that the response has.

        Where these are invalid, a row has id and code only: a poll does not fail for members that it does not
        need.
        """
        full, lists = self.full, row_lists(self.data)
        if len(rows) > 1 and len(rows) == sum(len(each.rows) for each in lists):
            self.all_rows = self.all_rows or all_in_full(rows, lists, split_rows(self.data, self.body))
            if self.all_rows is not None:
                return self.all_rows
        wanted = {id(row) for row in rows if not isinstance(row, FullHostRow)} - full.keys()
        if wanted:
            for row_list, text in zip(lists, split_rows(self.data, self.body), strict=True):
                read_some(row_list, text, wanted, full)
        return [row if isinstance(row, FullHostRow) else full[id(row)] for row in rows]


def row_lists(data: PolledData) -> list[RowList]:
    """Return the rows of each group, or of each step of a job."""
    if isinstance(data, JobDataStruct):
        return [RowList(step.step_ip_result_list or ()) for step in data.step_instance_list or ()]
    return [
        RowList(group.host_result_list or (), group.result_type, group.tag)
        for group in data.step_result_group_list
    ]


def split_rows(data: PolledData, body: bytes) -> list[Raw]:
    """Return the bytes of the same lists."""
    if isinstance(data, JobDataStruct):
        return [step.step_ip_result_list for step in _STEPS.decode(body).data.step_instance_list or ()]
    return [group.host_result_list for group in _GROUPS.decode(body).data.step_result_group_list]


def all_in_full(
    rows: Sequence[HostRow], lists: Sequence[RowList], list_bytes: Sequence[Raw]
) -> list[FullHostRow] | None:
    """Return the rows of all lists, which *rows* are in this order; None where they are not as documented."""
    if not all(map(is_, rows, chain.from_iterable(each.rows for each in lists))):
        return None
    found = list[FullHostRow]()
    for row_list, text in zip(lists, list_bytes, strict=True):
        some = read_all(text) if row_list.rows else ()
        if some is None:
            return None
        found += [with_group_state(row, row_list) for row in some]
    return found


def read_some(
    row_list: RowList, list_bytes: Raw, wanted: Collection[int], full: dict[int, FullHostRow]
) -> None:
    """Add to *full* the rows of a list that are *wanted*."""
    places = [place for place, row in enumerate(row_list.rows) if id(row) in wanted]
    if not places:
        return
    rows = read_all(list_bytes) if len(places) * BULK_SHARE >= len(row_list.rows) else None
    if rows is None:
        row_bytes = _SPLIT_ROWS.decode(list_bytes) or ()
        some = [read_row_bytes(row_bytes[place], row_list, row_list.rows[place]) for place in places]
    else:
        some = [with_group_state(rows[place], row_list) for place in places]
    full.update(zip((id(row_list.rows[place]) for place in places), some, strict=True))


def read_all(list_bytes: Raw) -> list[FullHostRow] | None:
    """Return all rows of a list, None where one of them is not as documented."""
    try:
        return _ROWS.decode(list_bytes)
    except STRICT_ERRORS:
        return None


def read_row_bytes(text: Raw, row_list: RowList, partial_row: AnyRow) -> FullHostRow:
    """Read one row of a list."""
    try:
        row = _ROW.decode(text)
    except STRICT_ERRORS:
        try:
            row = read_row_in_part(JsonObject(parse_json(bytes(text))), row_list.status)
        except ValueError:
            code = partial_row.status if row_list.status is None else row_list.status
            row = FullHostRow(status=code, bk_host_id=partial_row.bk_host_id)
    return with_group_state(row, row_list)


def with_group_state(row: FullHostRow, row_list: RowList) -> FullHostRow:
    """Return *row* with the status and tag of its group, which win over its own."""
    if row_list.status is not None:
        row.status = row_list.status
    if row_list.tag is not None:
        row.tag = row_list.tag
    return row
