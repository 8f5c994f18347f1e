"""Requests of polls, prepared once and sent again and again.

Two polls of one kind differ in the ids of job and step alone, so that the rest is prepared once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from attrs import evolve
from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef
from bkjob_async.model.structures.bounded_cache import BoundedCache

# The requests that are kept at most; each takes about 1 kB.
CACHE_SIZE = 4096
# The sizes of responses, in bytes, that are worth compressing. Compressing less gains nearly nothing; decompressing more
# blocks the event loop for longer than reading the response.
MIN_COMPRESSED, MAX_COMPRESSED = 32_000, 1_500_000
# Ids that stand for others where a template is made: they are looked for in the URL.
JOB_ID, STEP_ID = 9_100_000_000_000_000_019, 9_200_000_000_000_000_029
# There is a template for each scope and each way to read a step; further kinds are prepared in full.
MAX_TEMPLATES = 1024

PollOperation = GetJobInstanceStatus | GetStepInstanceStatus
Sign = Callable[[Operation[Any]], HttpRequest]


class PreparedRequest(Struct, eq=False):
    """A signed request of *operation*, which counts towards *scope*; that of a poll may have a *template*."""

    operation: Operation[Any]
    scope: Scope | None
    request: HttpRequest
    template: RequestTemplate | None = None

    def accept_compressed(self, accept: bool) -> None:  # noqa: FBT001 - its name says what it means
        """Ask for compressed responses from now on, or for plain ones."""
        self.request = replace(self.request, accept_compressed=accept)
        if self.template is not None:
            self.template.accept_compressed = accept


class PreparedRequestCache:
    """Keeps what *sign* makes of polls, by their identity: the engine sends the same objects again and again.

    Of an operation that finds no room, the template of its kind is kept. Other credentials drop everything.
    """

    __slots__ = ("_credentials", "_headers", "_kept", "_sign", "_templates")

    def __init__(self, sign: Callable[[Operation[Any], Credentials], HttpRequest]) -> None:
        self._sign = sign
        self._kept: BoundedCache[int, PreparedRequest] = BoundedCache(CACHE_SIZE)
        self._templates = RequestTemplates()
        self._credentials: Credentials | None = None
        self._headers: Mapping[str, str] = {}

    def get(self, operation: PollOperation, credentials: Credentials) -> PreparedRequest:
        """Return the request of *operation*, signed with *credentials*."""
        if credentials is not self._credentials:
            self._credentials = credentials
            self._kept, self._templates = BoundedCache(CACHE_SIZE), RequestTemplates()
        kept = self._kept.values.get(id(operation))
        if kept is not None:
            return kept
        request, template = self._templates.request(operation, lambda other: self._signed(other, credentials))
        prepared = PreparedRequest(operation, operation.ref.scope, request, template)
        return self._kept.keep(id(operation), prepared)

    def _signed(self, operation: Operation[Any], credentials: Credentials) -> HttpRequest:
        request = self._sign(operation, credentials)
        if request.headers == self._headers:  # one object for all, which the transport compares by identity
            return replace(request, headers=self._headers)
        self._headers = request.headers
        return request


class RequestTemplate(Struct, gc=False):
    """A request whose query has a job's id behind *before_job*, and that of a step, if any, behind *before_step*.

    *accept_compressed* is what the last request of this kind found worth asking for.
    """

    sample: HttpRequest
    before_job: str
    before_step: str
    end: str
    accept_compressed: bool = True

    @classmethod
    def of(cls, sample: HttpRequest, *, has_step: bool) -> Self | None:
        """Return the template of a request about `JOB_ID` and `STEP_ID`; None where they do not stand in its query."""
        query, job, step = sample.url.raw_query_string, str(JOB_ID), str(STEP_ID)
        before_job, found, rest = query.partition(job)
        before_step, step_found, end = rest.partition(step) if has_step else ("", step, rest)
        elsewhere = f"{before_job}{before_step}{end}{sample.url.raw_path}"
        if sample.body is not None or not (found and step_found) or job in elsewhere or step in elsewhere:
            return None
        return cls(sample, before_job, before_step, end)

    def filled_in(self, job_id: int, step_id: int | None) -> HttpRequest:
        """Return the same request about another job or step."""
        sample, url = self.sample, self.sample.url
        job = f"{self.before_job}{job_id}"
        ids = job if step_id is None else f"{job}{self.before_step}{step_id}"
        return HttpRequest(
            method=sample.method,
            url=URL.build(
                scheme=url.scheme,
                authority=url.raw_authority,
                path=url.raw_path,
                query_string=ids + self.end,
                encoded=True,
            ),
            headers=sample.headers,
            accept_compressed=self.accept_compressed,
        )


class RequestTemplates:
    """The templates of all kinds of polls."""

    __slots__ = ("_templates",)

    def __init__(self) -> None:
        self._templates: dict[object, RequestTemplate | None] = {}

    def request(self, operation: PollOperation, sign: Sign) -> tuple[HttpRequest, RequestTemplate | None]:
        """Return the request of *operation*, and its template where it has one; *sign* prepares it in full."""
        if isinstance(operation, GetStepInstanceStatus):
            ref, kind = operation.ref, step_kind(operation)
            job_id, step_id = ref.job.job_instance_id, ref.step_instance_id
        else:
            job_id, step_id = operation.ref.job_instance_id, None
            kind = operation.ref.scope, operation.return_ip_result
        if kind in self._templates:
            template = self._templates[kind]
            return (sign(operation) if template is None else template.filled_in(job_id, step_id)), template
        request = sign(operation)
        if len(self._templates) < MAX_TEMPLATES:
            template = RequestTemplate.of(sign(with_sample_ids(operation)), has_step=step_id is not None)
            fits = template is not None and template.filled_in(job_id, step_id) == request
            self._templates[kind] = template if fits else None
        return request, None


def step_kind(operation: GetStepInstanceStatus) -> tuple[object, ...]:
    """Return all that the request of *operation* depends on but the ids."""
    return (
        operation.ref.job.scope,
        operation.batch,
        operation.max_host_num_per_group,
        operation.status,
        operation.tag,
        operation.execute_count,
        operation.keyword,
        operation.search_ip,
    )


def with_sample_ids(operation: PollOperation) -> Operation[Any]:
    """Return the same operation about `JOB_ID` and `STEP_ID`."""
    scope: Scope = operation.ref.scope
    if isinstance(operation, GetStepInstanceStatus):
        return evolve(operation, ref=StepRef(scope, JOB_ID, STEP_ID))
    return evolve(operation, ref=JobRef(scope, JOB_ID))
