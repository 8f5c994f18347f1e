"""Requests made from others of the same kind are those that would have been prepared in full."""

from collections.abc import Callable

import pytest
from yarl import URL

from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from bkjob_async.wire.prepared_requests import JOB_ID, PollOperation, RequestTemplates
from bkjob_async.wire.session import Session
from tests.wire.test_session import CREDENTIALS

KINDS: list[dict[str, object]] = [
    {},
    {"max_host_num_per_group": 1},
    {"status": 9},
    {"status": 9, "tag": "a b&100%"},
]


def url(rest: str) -> URL:
    """Return a URL."""
    return URL(f"http://host{rest}")


def operations(scope: Scope) -> list[PollOperation]:
    """Return polls of two jobs in turn, of every kind."""
    found: list[PollOperation] = []
    for number in (7, 70_000_000_000, 7):
        found += [GetStepInstanceStatus(ref=StepRef(scope, number, number + 1), **kind) for kind in KINDS]  # type: ignore[arg-type]
        found += [
            GetJobInstanceStatus(ref=JobRef(scope, number), return_ip_result=rows) for rows in (True, False)
        ]
    return found


@pytest.mark.parametrize("name", ["gateway-v3", "esb-job"])
def test_a_filled_in_template_is_the_request_itself(name: str) -> None:
    """URL, headers and all, in every dialect and scope."""
    templates, signed = RequestTemplates(), 0
    session = Session(
        "http://host/base",
        transport=AiohttpTransport(),
        dialect=dialect_by_name(name),
        credentials=CREDENTIALS,
    )

    def sign(operation: Operation[object]) -> HttpRequest:
        nonlocal signed
        signed += 1
        return session._signed(operation, CREDENTIALS)

    for scope in (Scope.biz(2), Scope.biz_set(2), Scope.biz(3)):
        for operation in operations(scope):
            before = sign(operation)
            request, _ = templates.request(operation, sign)
            assert request == before
            assert request.url.raw_path_qs == before.url.raw_path_qs
    kinds = 3 * (len(KINDS) + 2)
    assert name != "gateway-v3" or signed - 3 * kinds == 2 * kinds, (
        "once for itself, and once to find the ids"
    )


MAKERS: list[Callable[[int], HttpRequest]] = [
    lambda number: HttpRequest(method="POST", url=url(""), body=b"%d" % number),
    lambda number: HttpRequest(method="GET", url=url(f"/{number}")),
    lambda number: HttpRequest(method="GET", url=url(f"?a={number}&b={number}")),
    lambda number: HttpRequest(method="GET", url=url(f"?a={number + 1}")),
    lambda number: HttpRequest(method="GET", url=url(f"?a={number}&odd={number % 7}")),
]


@pytest.mark.parametrize("make", MAKERS)
def test_ids_outside_of_a_query_have_no_template(make: Callable[[int], HttpRequest]) -> None:
    """Such a request is prepared in full each time: with the id in a body, in a path, twice, or in another text."""
    templates = RequestTemplates()

    def sign(operation: Operation[object]) -> HttpRequest:
        assert isinstance(operation, GetJobInstanceStatus)
        return make(operation.ref.job_instance_id)

    assert JOB_ID % 7 != 3
    for number in (3, 4, 5):
        operation = GetJobInstanceStatus(ref=JobRef(Scope.biz(2), number))
        assert templates.request(operation, sign) == (make(number), None)
