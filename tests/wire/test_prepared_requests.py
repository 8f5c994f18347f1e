"""Requests that are prepared once."""

import pytest
from yarl import URL

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.operations.base import Operation
from bkjob_async.wire.prepared_requests import PreparedRequestCache

ONE, OTHER = (
    bkjob.AppCredentials(bk_app_code="made", bk_app_secret=secret, bk_username="up")
    for secret in ("one", "other")
)
OPERATIONS = [
    bkjob.GetJobInstanceStatus(ref=bkjob.JobRef(bkjob.Scope.biz(2), number)) for number in range(1, 10)
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
