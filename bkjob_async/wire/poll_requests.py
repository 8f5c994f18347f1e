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

# Ids that stand for others where a template is made: they are looked for in the URL.
JOB_ID, STEP_ID = 9_100_000_000_000_000_019, 9_200_000_000_000_000_029
# There is a template for each scope and each way to read a job or step, in one status and with one tag: when there are
# so many, all are made anew.
MAX_TEMPLATES = 1024

PollOperation = GetJobInstanceStatus | GetStepInstanceStatus


class RequestTemplate(Struct, gc=False):
    """A request like *sample*, with a job's id in the query behind *before_job*, and that of a step behind *before_step*."""

    sample: HttpRequest
    scheme: str
    authority: str
    path: str
    before_job: str
    before_step: str
    end: str

    @classmethod
    def of(cls, sample: HttpRequest, *, has_step: bool) -> Self | None:
        """Return the template of a request about `JOB_ID` and `STEP_ID`; None where they do not stand in its query."""
        url, job, step = sample.url, str(JOB_ID), str(STEP_ID)
        query = url.raw_query_string
        before_job, found, rest = query.partition(job)
        before_step, step_found, end = rest.partition(step) if has_step else ("", step, rest)
        elsewhere = f"{before_job}{before_step}{end}{url.raw_path}"
        if sample.body is not None or not (found and step_found) or job in elsewhere or step in elsewhere:
            return None
        return cls(sample, url.scheme, url.raw_authority, url.raw_path, before_job, before_step, end)

    def filled_in(self, job_id: int, step_id: int | None, *, accept_compressed: bool = True) -> HttpRequest:
        """Return the same request about another job or step."""
        job = f"{self.before_job}{job_id}"
        ids = job if step_id is None else f"{job}{self.before_step}{step_id}"
        return HttpRequest(
            method=self.sample.method,
            url=URL.build(
                scheme=self.scheme,
                authority=self.authority,
                path=self.path,
                query_string=ids + self.end,
                encoded=True,
            ),
            headers=self.sample.headers,
            accept_compressed=accept_compressed,
        )


class PollRequests:
    """The requests of polls, from the templates of what *sign* makes of one of each kind.

    Other credentials drop all templates. `compress_unknown` is whether a response of unknown size is worth compressing.
    """

    __slots__ = (
        "_count",
        "_credentials",
        "_headers",
        "_of_scope",
        "_scope",
        "_sign",
        "_templates",
        "compress_unknown",
    )

    def __init__(self, sign: Callable[[Operation[Any], Credentials], HttpRequest]) -> None:
        self._sign = sign
        self._credentials: Credentials | None = None
        self._templates: dict[Scope, dict[Hashable, RequestTemplate | None]] = {}
        self._count = 0
        self.compress_unknown = True
        # The scope of the last request, and its templates: most clients poll one scope.
        self._scope: Scope | None = None
        self._of_scope: dict[Hashable, RequestTemplate | None] = {}
        self._headers: Mapping[str, str] = {}

    def request(
        self, operation: PollOperation, credentials: Credentials, *, accept_compressed: bool | None = None
    ) -> HttpRequest:
        """Return the request of *operation*, signed with *credentials*, for a response compressed or not."""
        ref = operation.ref
        if accept_compressed is None:
            accept_compressed = self.compress_unknown
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
        if kind not in self._of_scope:
            self._count += 1
            if self._count > MAX_TEMPLATES:
                self._templates, self._count = {}, 1
                self._turn_to(ref.scope, credentials)
            sample = self._signed(with_sample_ids(operation), credentials)
            template = RequestTemplate.of(sample, has_step=step_id is not None)
            fits = template is not None and template.filled_in(ref.job_instance_id, step_id) == request
            self._of_scope[kind] = template if fits else None
        return request if accept_compressed else replace(request, accept_compressed=False)

    def _turn_to(self, scope: Scope, credentials: Credentials) -> None:
        """Use the templates of *scope*, without any that were signed with other *credentials*."""
        if credentials is not self._credentials:
            self._credentials, self._templates, self._count = credentials, {}, 0
        self._scope, self._of_scope = scope, self._templates.setdefault(scope, {})

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
