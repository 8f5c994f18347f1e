"""Requests of polls that are made from others of the same kind."""

from collections.abc import Callable

import pytest
from yarl import URL

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from bkjob_async.wire.poll_requests import JOB_ID, PollOperation, PollRequests
from bkjob_async.wire.session import Session
from tests.wire.test_session import CREDENTIALS

ONE, OTHER = (
    bkjob.AppCredentials(bk_app_code="made", bk_app_secret=secret, bk_username="up")
    for secret in ("one", "other")
)


class CountingSigner:
    """Signs operations, and counts how many."""

    def __init__(self) -> None:
        self.signed = 0
        self.requests = PollRequests(self.sign)

    def sign(self, operation: Operation[object], credentials: bkjob.Credentials) -> HttpRequest:
        """Return a request."""
        self.signed += 1
        assert isinstance(operation, GetJobInstanceStatus)
        ref = operation.ref
        return HttpRequest(
            method="GET",
            url=url(f"?in={ref.scope.id}&id={ref.job_instance_id}&rows={operation.return_ip_result}"),
            headers={"X-Auth": repr(id(credentials))},
        )

    def get(self, *refs: JobRef, rows: bool = True, credentials: bkjob.Credentials = ONE) -> int:
        """Prepare polls in turn; return how many had to be signed."""
        before = self.signed
        for ref in refs:
            operation = GetJobInstanceStatus(ref=ref, return_ip_result=rows)
            request = self.requests.request(operation, credentials)
            assert request == self.sign(operation, credentials)
            self.signed -= 1
        return self.signed - before


JOBS = [JobRef(Scope.biz(number % 3 + 1), number) for number in range(1, 10)]


def test_a_kind_of_poll_is_prepared_once() -> None:
    """Each scope and way to read is a kind; all requests share one object of equal headers, compared by identity later."""
    signer = CountingSigner()

    assert signer.get(*JOBS) == 3 * 2
    assert signer.get(*JOBS, *JOBS) == 0
    assert signer.get(*JOBS, rows=False) == 3 * 2
    made = [signer.requests.request(GetJobInstanceStatus(ref=ref), ONE) for ref in JOBS]
    assert len({id(request.headers) for request in made}) == 1


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are too many kinds all are made anew, so that those of today have their turn."""
    monkeypatch.setattr("bkjob_async.wire.poll_requests.MAX_TEMPLATES", 2)
    signer = CountingSigner()

    assert signer.get(JOBS[0], JOBS[1], JOBS[3], JOBS[4]) == 2 * 2
    assert signer.get(JOBS[2], JOBS[5]) == 2
    assert len(signer.requests._templates) == 1
    assert signer.get(JOBS[0], JOBS[2], JOBS[3], JOBS[5]) == 2
    assert signer.get(JOBS[0], JOBS[2], JOBS[3], JOBS[5]) == 0


def test_nothing_is_kept_for_other_credentials() -> None:
    """Other credentials get requests that they signed."""
    signer = CountingSigner()
    signer.get(JOBS[0])

    assert signer.get(JOBS[0], credentials=OTHER)
    assert signer.get(JOBS[0])


@pytest.mark.parametrize("accepts", [True, False])
def test_each_request_says_whether_its_response_may_be_compressed(accepts: bool) -> None:  # noqa: FBT001 - a parameter
    """The first of a kind, and those after it."""
    requests = CountingSigner().requests
    made = [
        requests.request(GetJobInstanceStatus(ref=ref), ONE, accept_compressed=accepts) for ref in JOBS[::3]
    ]

    assert [request.accept_compressed for request in made] == [accepts] * 3


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
    signed = 0
    session = Session(
        "http://host/base",
        transport=AiohttpTransport(),
        dialect=dialect_by_name(name),
        credentials=CREDENTIALS,
    )

    def sign(operation: Operation[object], credentials: bkjob.Credentials) -> HttpRequest:
        nonlocal signed
        signed += 1
        return session._signed(operation, credentials)

    requests = PollRequests(sign)
    for scope in (Scope.biz(2), Scope.biz_set(2), Scope.biz(3)):
        for operation in operations(scope):
            before = sign(operation, CREDENTIALS)
            request = requests.request(operation, CREDENTIALS)
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

    def sign(operation: Operation[object], _credentials: bkjob.Credentials) -> HttpRequest:
        assert isinstance(operation, GetJobInstanceStatus)
        return make(operation.ref.job_instance_id)

    requests = PollRequests(sign)

    assert JOB_ID % 7 != 3
    for number in (3, 4, 5):
        operation = GetJobInstanceStatus(ref=JobRef(Scope.biz(2), number))
        assert requests.request(operation, ONE) == make(number)
