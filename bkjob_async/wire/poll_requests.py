"""Requests of polls, made from templates.

Two polls of one kind differ in the ids of job and step alone, so that the rest is prepared once for all of them. No request
is kept: with many thousands of targets, finding one in memory would take longer than making it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Self

from attrs import evolve
from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef

# The sizes of responses, in bytes, that are worth compressing. Compressing less gains nearly nothing; decompressing more
# blocks the event loop for longer than reading the response.
MIN_COMPRESSED, MAX_COMPRESSED = 32_000, 1_500_000
# Ids that stand for others where a template is made: they are looked for in the URL.
JOB_ID, STEP_ID = 9_100_000_000_000_000_019, 9_200_000_000_000_000_029
# There is a template for each scope and each way to read a job or step; further kinds are prepared in full.
MAX_TEMPLATES = 1024

PollOperation = GetJobInstanceStatus | GetStepInstanceStatus


class RequestTemplate(Struct, gc=False):
    """A request whose query has a job's id behind *before_job*, and that of a step, if any, behind *before_step*."""

    sample: HttpRequest
    before_job: str
    before_step: str
    end: str

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

    def filled_in(self, job_id: int, step_id: int | None, *, accept_compressed: bool = True) -> HttpRequest:
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
            accept_compressed=accept_compressed,
        )


class PollRequests:
    """The requests of polls, from the templates of what *sign* makes of one of each kind.

    Other credentials drop all templates.
    """

    __slots__ = ("_count", "_credentials", "_headers", "_of_scope", "_scope", "_sign", "_templates")

    def __init__(self, sign: Callable[[Operation[Any], Credentials], HttpRequest]) -> None:
        self._sign = sign
        self._credentials: Credentials | None = None
        self._templates: dict[Scope, dict[Hashable, RequestTemplate | None]] = {}
        self._count = 0
        # The scope of the last request, and its templates: most clients poll one scope.
        self._scope: Scope | None = None
        self._of_scope: dict[Hashable, RequestTemplate | None] = {}
        self._headers: Mapping[str, str] = {}

    def request(
        self, operation: PollOperation, credentials: Credentials, *, accept_compressed: bool = True
    ) -> HttpRequest:
        """Return the request of *operation*, signed with *credentials*, for a response compressed or not."""
        ref = operation.ref
        if ref.scope is not self._scope or credentials is not self._credentials:
            self._turn_to(ref.scope, credentials)
        if isinstance(operation, GetStepInstanceStatus):
            kind, step_id = step_kind(operation), operation.ref.step_instance_id
        else:
            kind, step_id = operation.return_ip_result, None
        template = self._of_scope.get(kind)
        if template is not None:
            return template.filled_in(ref.job_instance_id, step_id, accept_compressed=accept_compressed)
        request = self._signed(operation, credentials)
        if kind not in self._of_scope and self._count < MAX_TEMPLATES:
            self._count += 1
            sample = self._signed(with_sample_ids(operation), credentials)
            template = RequestTemplate.of(sample, has_step=step_id is not None)
            fits = template is not None and template.filled_in(ref.job_instance_id, step_id) == request
            self._of_scope[kind] = template if fits else None
        return request if accept_compressed else replace(request, accept_compressed=False)

    def _turn_to(self, scope: Scope, credentials: Credentials) -> None:
        """Use the templates of *scope*, without any that were signed with other *credentials*."""
        if credentials is not self._credentials:
            self._credentials, self._templates, self._count = credentials, {}, 0
        self._scope, self._of_scope = scope, self._templates.get(scope, {})
        if self._count < MAX_TEMPLATES:
            self._templates[scope] = self._of_scope

    def _signed(self, operation: Operation[Any], credentials: Credentials) -> HttpRequest:
        request = self._sign(operation, credentials)
        if request.headers == self._headers:  # one object for all, which the transport compares by identity
            return replace(request, headers=self._headers)
        self._headers = request.headers
        return request


def step_kind(operation: GetStepInstanceStatus) -> Hashable:
    """Return all that the request of *operation* depends on but its scope and the ids."""
    return (
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
