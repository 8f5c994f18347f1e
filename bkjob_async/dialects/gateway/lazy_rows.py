"""Host rows of which a poll read only id and code; the rest is read from the same bytes on request.

A poll of ten thousand hosts of which a hundred changed reads a fifth of each row, and a hundred rows in full.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, compress
from operator import is_
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from bkjob_async.dialects.common.host_rows import FullHostRow, read_row_in_part, take_state
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.status_structs import STRICT_ERRORS, EnvelopeStruct, JobDataStruct
from bkjob_async.dialects.gateway.v3_structs import (
    JOB,
    STEP,
    FlatStepStruct,
    GroupStruct,
    StepDataStruct,
)
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.text.json_text import parse_json

_ROW = msgspec.json.Decoder(FullHostRow)
_SPLIT_JOB = msgspec.json.Decoder(EnvelopeStruct[JobDataStruct[FlatStepStruct[Raw]]])
_SPLIT_STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[GroupStruct[Raw]]])

# Where one in so many rows of a response is wanted, all are read at once.
BULK_SHARE = 3


class LazyHostRows(Struct, eq=False, gc=False):
    """The host rows of one response, each read in full when it is asked for.

    *data* is what was decoded of the *body*. *full* are the rows that were asked for, by the identity of the row that was
    read in part; *all_rows* are all of them, where many were asked for.
    """

    body: bytes
    data: StepDataStruct[Any] | JobDataStruct[Any]
    full: dict[int, FullHostRow] = field(default_factory=dict)
    all_rows: list[FullHostRow] | None = None

    def in_full(self, rows: Sequence[HostRow]) -> Sequence[FullHostRow]:
        """Return *rows* with all members that the response has.

        Where these are invalid, a row has those that can be read: a poll does not fail for members that it does not need.
        """
        parts = [*chain.from_iterable(rows for rows, *_ in row_lists(self.data))]
        if 0 < len(rows) == len(parts) and all(map(is_, rows, parts)) and self._read_all():
            return self.all_rows or []
        full = self.full
        wanted = {id(row) for row in rows if not isinstance(row, FullHostRow)} - full.keys()
        if wanted:
            if len(wanted) * BULK_SHARE >= len(parts) and self._read_all():
                full.update(zip(map(id, parts), self.all_rows or (), strict=True))
            else:
                self._read_some(wanted)
        return [row if isinstance(row, FullHostRow) else full[id(row)] for row in rows]

    def _read_all(self) -> bool:
        """Read all rows, as for a snapshot; return False where one of them is not as documented."""
        if self.all_rows is None:
            decoder = JOB if isinstance(self.data, JobDataStruct) else STEP
            try:
                lists = row_lists(decoder.decode(self.body).data)
            except STRICT_ERRORS:
                return False
            for rows, code, tag in lists:
                if code is not None:
                    take_state(rows, code, tag)
            self.all_rows = [*chain.from_iterable(rows for rows, *_ in lists)]
        return True

    def _read_some(self, wanted: Collection[int]) -> None:
        """Read the rows that are *wanted*."""
        split = _SPLIT_JOB if isinstance(self.data, JobDataStruct) else _SPLIT_STEP
        texts = row_lists(split.decode(self.body).data)
        for (rows, code, tag), (row_texts, *_) in zip(row_lists(self.data), texts, strict=True):
            pairs = compress(zip(rows, row_texts, strict=True), map(wanted.__contains__, map(id, rows)))
            found = {id(row): read_row_text(text, row, code) for row, text in pairs}
            if code is not None:
                take_state(found.values(), code, tag)
            self.full.update(found)


def row_lists(
    data: StepDataStruct[Any] | JobDataStruct[Any],
) -> list[tuple[Sequence[Any], int | None, str | None]]:
    """Return the rows of each group, with its code and tag, or of each step of a job, with None."""
    if isinstance(data, JobDataStruct):
        return [(step.step_ip_result_list or (), None, None) for step in data.step_instance_list or ()]
    groups = data.step_result_group_list
    return [(group.host_result_list or (), group.result_type, group.tag) for group in groups]


def read_row_text(text: Raw, row: HostRow, group_code: int | None) -> FullHostRow:
    """Read the text of a *row* of which its id is known, and its code, where its group has none."""
    try:
        return _ROW.decode(text)
    except STRICT_ERRORS:
        try:
            return read_row_in_part(JsonObject(parse_json(bytes(text))), group_code)
        except ValueError:
            return FullHostRow(
                status=row.status if group_code is None else group_code, bk_host_id=row.bk_host_id
            )
