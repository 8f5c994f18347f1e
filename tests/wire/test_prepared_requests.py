"""Questions kept ready to be sent."""

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
QUESTIONS = [
    bkjob.GetJobInstanceStatus(ref=bkjob.JobRef(bkjob.Scope.biz(2), number)) for number in range(1, 10)
]


class RequestContext:
    """Signs questions, and counts how many."""

    def __init__(self) -> None:
        self.signed = 0
        self.questions = PreparedRequestCache(self.sign)

    def sign(self, _question: Operation[object], credentials: bkjob.Credentials) -> HttpRequest:
        """Return a request."""
        self.signed += 1
        return HttpRequest(method="GET", url=URL("/"), headers={"X-Auth": repr(id(credentials))})

    def get(self, *numbers: int, credentials: bkjob.Credentials = ONE) -> int:
        """Ask for some questions in turn; return how many had to be signed."""
        before = self.signed
        for number in numbers:
            assert self.questions.get(QUESTIONS[number], credentials).question is QUESTIONS[number]
        return self.signed - before


def test_what_is_asked_again_was_kept() -> None:
    """And all of them share one object of equal headers, by which a transport knows them again."""
    desk = RequestContext()

    assert desk.get(0, 1, 2) == 3
    assert desk.get(2, 1, 0, 1) == 0
    assert len({id(desk.questions.get(each, ONE).request.headers) for each in QUESTIONS}) == 1


def test_not_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked now and then outlives what is asked once."""
    monkeypatch.setattr("bkjob_async.wire.prepared_requests.KEPT", 4)
    desk = RequestContext()
    desk.get(0)
    for number in range(1, 9):
        desk.get(number, 0)

    assert desk.get(0, 8) == 0
    assert desk.get(1, 2) == 2
    assert len(desk.questions._new) + len(desk.questions._old) <= 4


def test_nothing_is_kept_for_other_credentials() -> None:
    """Whoever comes with others gets what they sign."""
    desk = RequestContext()
    desk.get(0)

    assert desk.get(0, credentials=OTHER) == 1
    assert desk.get(0) == 1
