"""Structs of the v3 interfaces' status responses: steps with flat lists or groups of host rows.

The polls' structs and the snapshots' structs are the same; only the struct of a host row differs.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, Union

import msgspec
from msgspec import UNSET, Struct

from bkjob_async.dialects.common.host_rows import (
    Code,
    EndedHostRow,
    FlatHostRow,
    FullHostRow,
    Identity,
    OpenHostRow,
)
from bkjob_async.dialects.common.status_structs import Absent, EnvelopeStruct, JobDataStruct, StepStruct
from bkjob_async.model.status import HOST_CODES, SUCCESSFUL_HOST_CODES, UNFINISHED_HOST_CODES

R = TypeVar("R")
G = TypeVar("G")


class FlatStepStruct(StepStruct[Code], Generic[R], gc=False, kw_only=True):
    """A step in a response about a job, with host rows R."""

    step_ip_result_list: list[R] | None = None
    step_host_result_list: Absent = UNSET
    step_execute_object_result_list: Absent = UNSET
    execute_object_result_list: Absent = UNSET


class StepDataStruct(StepStruct[Code], Generic[G], gc=False, kw_only=True):
    """The data of a response about a step, with groups G."""

    step_result_group_list: list[G]
    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None
    finished: Absent = UNSET
    is_finished: Absent = UNSET


class GroupStruct(Struct, Generic[R], gc=False):
    """A group of hosts with rows R."""

    result_type: Code
    host_size: Code
    tag: str | None = None
    host_result_list: list[R] | None = None


# What is read for snapshots, with all members of each row.
JOB = msgspec.json.Decoder(EnvelopeStruct[JobDataStruct[FlatStepStruct[FullHostRow]]])
STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[GroupStruct[FullHostRow]]])


# A host's row that has an id, as partial rows have.
_NAMED_ROW: Any = msgspec.defstruct(
    "NamedRow", [("bk_host_id", Identity)], bases=(FullHostRow,), kw_only=True, gc=False
)


def polled_group_struct(code: int) -> Any:
    """Return the struct of a group of hosts with this *code*, which decides the struct of its rows.

    The details of failed hosts are kept, so each of their rows is read in full sooner or later. Reading them at once costs
    little more than skipping the rest of the row; reading them later takes the whole response apart again.
    """
    rows: Any = list[OpenHostRow] if code in UNFINISHED_HOST_CODES else list[_NAMED_ROW]
    if code in SUCCESSFUL_HOST_CODES:
        rows = list[EndedHostRow]
    return msgspec.defstruct(
        f"Group{code}",
        [("host_size", Code), ("tag", str | None, None), ("host_result_list", rows | None, None)],
        namespace={"result_type": code},
        tag_field="result_type",
        tag=code,
        gc=False,
    )


# What is read for polls. A group of a code that is not known here is left to `STEP`.
POLLED_JOB = msgspec.json.Decoder(EnvelopeStruct[JobDataStruct[FlatStepStruct[FlatHostRow]]])
POLLED_STEP: msgspec.json.Decoder[EnvelopeStruct[StepDataStruct[Any]]] = msgspec.json.Decoder(
    EnvelopeStruct[StepDataStruct[Union[tuple(map(polled_group_struct, HOST_CODES))]]]  # type: ignore[misc]  # noqa: UP007 - one struct for each code
)
