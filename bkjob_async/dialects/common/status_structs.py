"""Structs of status responses that are exactly as documented, shared by all dialects.

A strict decoder reads a documented response several times as fast as the lenient reader. It refuses any other response,
which is then left to the lenient reader, so that both return the same values.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from bkjob_async.dialects.common.host_rows import Code, Identity, Number
from bkjob_async.http_messages import HttpResponse

# How a time is sent: Unix milliseconds (`Code`) or text.
T = TypeVar("T")
# The struct of a step, and that of the data.
S = TypeVar("S", bound="StepStruct[Any]")
D = TypeVar("D")

# What a strict decoder raises for a response that is not as documented.
STRICT_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)

# A member that only other versions send: a strict decoder refuses whatever it is.
Absent = Annotated[int, Meta(gt=0, lt=0)] | UnsetType


class JobStruct(Struct, Generic[T], gc=False, kw_only=True):
    """A job; what a poll does not need may be anything, and a read in full checks it."""

    status: Code
    name: str | None = None
    operator: Any = None
    launch_mode: Any = None
    start_way: Any = UNSET
    create_time: T | None = None
    start_time: T | None = None
    end_time: T | None = None
    total_time: Number | None = None
    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None


class StepStruct(Struct, Generic[T], gc=False, kw_only=True):
    """A step without its hosts, whose list each dialect names in its own way."""

    step_instance_id: Identity
    status: Code
    name: str | None = None
    type: Code | None = None
    operator: Any = None
    execute_count: Code | None = None
    retry_count: Absent = UNSET
    create_time: T | None = None
    start_time: T | None = None
    end_time: T | None = None
    total_time: Number | None = None


class JobDataStruct(Struct, Generic[S], gc=False):
    """The data of a response about a job, with its steps as S."""

    job_instance: JobStruct[Code]
    finished: bool | None = None
    step_instance_list: list[S] | None = None
    is_finished: Absent = UNSET
    blocks: Absent = UNSET


class EnvelopeStruct(Struct, Generic[D], gc=False):
    """The envelope of a success, but for its *result*."""

    data: D
    result: bool
    code: Literal[0]
    error: Absent = UNSET


def decode_data(decoder: msgspec.json.Decoder[EnvelopeStruct[D]], response: HttpResponse) -> D | None:
    """Return the data of a success that *decoder* can read, None for any other response."""
    if not 200 <= response.status < 300:
        return None
    try:
        envelope = decoder.decode(response.body)
    except STRICT_ERRORS:
        return None
    return envelope.data if envelope.result else None
