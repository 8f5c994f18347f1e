"""The groups of a step's answer: hosts that failed in full, of all others no more than a look needs.

The details of failed hosts are kept, so sooner or later each is read in full: at once it takes little more than to pass
over the rest of its row, later the whole answer has to be taken apart for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

import msgspec
from msgspec import Struct

from bkjob_async.dialects.common.host_rows import Code, GroupedRow, Row
from bkjob_async.model.poll_view import GroupPollView
from bkjob_async.model.status import HOST_CODES, SUCCESSFUL_HOST_CODES, UNFINISHED_HOST_CODES

LIGHT = SUCCESSFUL_HOST_CODES | UNFINISHED_HOST_CODES


class GroupLine(Struct, gc=False):
    """A group of hosts."""

    result_type: Code
    host_size: Code
    tag: str | None = None
    host_result_list: list[GroupedRow] | None = None


class KnownGroup(Struct, gc=False):
    """A group of hosts of a known code, which decides what is read of its rows."""

    host_size: Code
    tag: str | None = None

    if TYPE_CHECKING:
        result_type: int = 0
        host_result_list: list[GroupedRow] | list[Row] | None = None


def known_group(code: int) -> Any:
    """Return what is read of a group of hosts with this *code*."""
    rows = list[GroupedRow] if code in LIGHT else list[Row]
    return msgspec.defstruct(
        f"Group{code}",
        [("host_result_list", rows | None, None)],
        bases=(KnownGroup,),
        namespace={"result_type": code},
        tag_field="result_type",
        tag=code,
        gc=False,
    )


if TYPE_CHECKING:
    AnyKnownGroup = KnownGroup
else:
    AnyKnownGroup = Union[tuple(map(known_group, HOST_CODES))]  # noqa: UP007 - nobody writes them all down

AnyGroup = GroupLine | KnownGroup


def group_looks(groups: Sequence[AnyGroup]) -> list[GroupPollView] | None:
    """Return groups as the engine reads them; None where a row is not as documented."""
    looks: list[GroupPollView] = []
    for group in groups:
        code, rows = group.result_type, group.host_result_list
        if code not in LIGHT and rows and isinstance(group, KnownGroup) and not stand_in(group):
            return None
        looks.append(GroupPollView(status=code, tag=group.tag or "", size=group.host_size, rows=rows))
    return looks


def stand_in(group: KnownGroup) -> bool:
    """Give rows that were read in full the code and tag of their *group*, which win; return whether all have an id."""
    code, tag = group.result_type, group.tag
    for row in group.host_result_list or ():
        if isinstance(row, Row):
            if row.bk_host_id is None:
                return False
            row.status = code
            if tag is not None:
                row.tag = tag
    return True
