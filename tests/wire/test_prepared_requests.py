"""Requests that are prepared once, and those made from others of the same kind."""

from collections.abc import Callable

import pytest
from yarl import URL

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from bkjob_async.wire.prepared_requests import JOB_ID, PollOperation, PreparedRequestCache, RequestTemplates
from bkjob_async.wire.session import Session
from tests.wire.test_session import CREDENTIALS

ONE, OTHER = (
    bkjob.AppCredentials(bk_app_code="made", bk_app_secret=secret, bk_username="up")
    for secret in ("one", "other")
)
OPERATIONS = [
    bkjob.operations.GetJobInstanceStatus(ref=bkjob.JobRef(bkjob.Scope.biz(2), number))
    for number in range(1, 10)
]


class CountingSigner:
    """Signs operations, and counts how many."""

    def __init__(self) -> None:
        self.signed = 0
        self.cache = PreparedRequestCache(self.sign)

    def sign(self, _operation: Operation[object], credentials: bkjob.Credentials) -> HttpRequest:
        """Return a request."""
        self.signed += 1
        return HttpRequest(method="GET", url=URL("/"), headers={"X-Auth": repr(id(credentials))})

    def get(self, *numbers: int, credentials: bkjob.Credentials = ONE) -> int:
        """Prepare some operations in turn; return how many had to be signed."""
        before = self.signed
        for number in numbers:
            assert self.cache.get(OPERATIONS[number], credentials).operation is OPERATIONS[number]
        return self.signed - before


def test_an_operation_is_prepared_once() -> None:
    """And all share one object of equal headers, which the transport compares by identity."""
    signer = CountingSigner()
    signer.get(0, 1, 2)

    assert signer.get(2, 1, 0, 1) == 0
    assert len({id(signer.cache.get(each, ONE).request.headers) for each in OPERATIONS}) == 1


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no room does not push out what is there; it gets its turn in the end."""
    monkeypatch.setattr("bkjob_async.wire.prepared_requests.CACHE_SIZE", 4)
    signer = CountingSigner()
    signer.get(*range(9))

    assert signer.get(0, 1, 2, 3) == 0
    assert signer.get(4, 5, 4) == 3
    assert len(signer.cache._kept.values) == 4
    signer.get(*[8] * 64)
    assert signer.get(8) == 0


def test_nothing_is_kept_for_other_credentials() -> None:
    """Other credentials get requests that they signed."""
    signer = CountingSigner()
    signer.get(0)

    assert signer.get(0, credentials=OTHER)
    assert signer.get(0)


# Templates ----------------------------------------------------------------------------------------------------------

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
