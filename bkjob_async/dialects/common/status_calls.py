"""How the responses about a job's or step's status are read: not at all where they say what is known, strictly, or leniently."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from functools import partial
from typing import Any, Literal, Protocol, overload

from msgspec.structs import force_setattr
from xxhash import xxh3_64_intdigest

from bkjob_async.dialects.common.dialect import Call, Dialect
from bkjob_async.dialects.common.envelopes import read_data
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.status_views import with_empty_lists
from bkjob_async.errors import NotSupported
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import NOTHING_READ, JobPollView, KnownRows, PollView, StepPollView
from bkjob_async.model.refs import JobRef, StepRef

# Where the first list of a response begins.
LIST = b'":['
# What differs in every response, where nothing but a JSON number or text as usual can follow the name.
TOTAL_TIME = re.compile(rb'"total_time":(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,9})?(?=[,}])')
REQUEST_ID = re.compile(rb'request_id":"[0-9A-Za-z_.:-]{0,64}"')  # that of the ESB, and `job_request_id`
# A larger response is about a step that is read by groups next time, which needs no digest. (bytes)
LARGEST_DIGESTED = 128 * 1024


class ReadStrictly(Protocol):
    """How a dialect reads a status response that is exactly as documented."""

    def __call__(
        self, operation: Any, response: HttpResponse, zone: tzinfo, /, *, for_poll: bool, in_part: bool
    ) -> PollView | None:
        """Return the view of a *response*, its rows *in_part* if that is faster; None where it is not as documented."""
        ...


class ReadLeniently(Protocol):
    """How a dialect reads any status response that can be understood."""

    def __call__(self, operation: Any, envelope: JsonObject, /, *, for_poll: bool) -> PollView:
        """Return the same view of the *envelope* of a response."""
        ...


@overload
def decode_poll(
    dialect: Dialect, operation: GetJobInstanceStatus, response: HttpResponse, known: KnownRows | None = None
) -> JobPollView: ...
@overload
def decode_poll(
    dialect: Dialect, operation: GetStepInstanceStatus, response: HttpResponse, known: KnownRows | None = None
) -> StepPollView: ...
@overload
def decode_poll(
    dialect: Dialect,
    operation: GetJobInstanceStatus | GetStepInstanceStatus,
    response: HttpResponse,
    known: KnownRows | None = None,
) -> PollView: ...
def decode_poll(
    dialect: Dialect,
    operation: GetJobInstanceStatus | GetStepInstanceStatus,
    response: HttpResponse,
    known: KnownRows | None = None,
) -> PollView:
    """Return the poll view of a status response of a *dialect*, or raise a `CallFailed`.

    The response is read as lightly as a poll needs it: in full where `NOTHING_READ` is known. One that says nothing but
    what is *known* is not decoded: its view has no rows. The others have a digest, then, by which the next one may be known.
    """
    call = dialect.calls.get(type(operation)) or dialect.call_for(operation)
    if call.read_view is None:
        raise NotSupported(f"{dialect.name} cannot watch by {operation.name}")
    return call.read_view(operation, response, dialect.zone, for_poll=True, known=known)


def status_call(
    method: str,
    parameters: Callable[[Any], Mapping[str, Any]],
    read_leniently: ReadLeniently,
    read_strictly: ReadStrictly | None = None,
    *,
    omits_empty_lists: bool = False,
    paths: Literal["system", "user"] | None = None,
) -> Call:
    """Return a line of a dialect's table for the status of the job or step that is an operation's *ref*.

    A poll and a snapshot are made of the same views. *omits_empty_lists*: a step without a list of hosts has none, where
    hosts were requested.
    """

    def read_view(
        operation: Any,
        response: HttpResponse,
        zone: tzinfo,
        *,
        for_poll: bool,
        known: KnownRows | None = None,
    ) -> PollView:
        content = 0 if known is None else content_of(response)
        if content and known is not None and known.digest == digest_of(content, known):
            return known_view(operation.ref, known)
        view: PollView | None = None
        if read_strictly is not None:
            if known is NOTHING_READ:
                view = read_strictly(operation, response, zone, for_poll=for_poll, in_part=False)
            if view is None:  # the rest of a row may be as nobody has documented it
                view = read_strictly(operation, response, zone, for_poll=for_poll, in_part=for_poll)
        if view is None:
            read = partial(read_leniently, operation, for_poll=for_poll)
            view = read_data(response, zone, read)
        if omits_empty_lists and operation.return_ip_result and isinstance(view, JobPollView):
            view = with_empty_lists(view)
        if content:
            force_setattr(view, "digest", digest_of(content, view))  # nobody else has the view yet
        return view

    return Call(method, parameters, read_view=read_view, paths=paths)


# Equal responses ----------------------------------------------------------------------------------


def content_of(response: HttpResponse) -> int:
    """Return a hash of a status response, 0 for one that lists nothing or is large.

    While a step runs, its total time differs in every response, and so does the id of the request. All other bytes are
    hashed, and then what was read of the step or job (`digest_of`): equal digests are equal responses.
    """
    body = response.body
    begin, end = body.find(LIST), body.rfind(b"]")
    if begin < 0 or len(body) > LARGEST_DIGESTED:
        return 0
    rest = TOTAL_TIME.sub(b"", REQUEST_ID.sub(b"", b"%b%b" % (body[:begin], body[end:])))
    return hash((response.status, rest, xxh3_64_intdigest(memoryview(body)[begin:end])))


def digest_of(content: int, read: KnownRows | PollView) -> int:
    """Return the digest of a response with this *content*, a hash of its bytes, about what was *read* like this."""
    return hash((content, read.status, read.execute_count, read.name))


def known_view(ref: JobRef | StepRef, known: KnownRows) -> PollView:
    """Return the view of a response that says nothing but what is *known*."""
    if not isinstance(ref, StepRef):
        return JobPollView(status=known.status, name=known.name, digest=known.digest, has_known_rows=True)
    return StepPollView(
        step_instance_id=ref.step_instance_id,
        status=known.status,
        name=known.name,
        execute_count=known.execute_count,
        digest=known.digest,
        has_known_rows=True,
    )
