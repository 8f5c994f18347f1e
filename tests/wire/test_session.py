"""The session: credentials, retries, limits, closing."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.wire.session import Session

pytestmark = pytest.mark.looptime

SECRET = "s3cr3t/with+odd \"signs'"
CREDENTIALS = bkjob.AppCredentials(bk_app_code="app", bk_app_secret=SECRET)
JOB = bkjob.JobRef(bkjob.Scope.biz(2), 1)
READ = bkjob.GetJobInstanceStatus(ref=JOB)
COMMAND = bkjob.OperateJobInstance(ref=JOB, operation_code=1)
OK = HttpResponse(
    status=200,
    body=msgspec.json.encode(
        {"result": True, "code": 0, "data": {"finished": True, "job_instance": {"status": 3}}}
    ),
)


def refusal(code: int, message: str = "no", status: int = 200, **more: Any) -> HttpResponse:
    """Return an answer that refuses."""
    body = {"result": False, "code": code, "message": message, "data": None, **more}
    return HttpResponse(status=status, body=msgspec.json.encode(body))


class Door:
    """A transport that answers as it is told, the last answer again and again."""

    def __init__(self, *answers: HttpResponse | Exception, latency: float = 0.0) -> None:
        self.answers = list(answers)
        self.latency = latency
        self.sent: list[HttpRequest] = []
        self.times: list[float] = []

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Answer *request*."""
        self.sent.append(request)
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.latency)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        """Hold nothing open."""


def session_of(door: Door, **options: Any) -> Session:
    """Return a session behind a door."""
    options.setdefault("credentials", CREDENTIALS)
    name = options.pop("name", "gateway-v3")
    return Session("http://x", transport=door, dialect=dialect_by_name(name), **options)


class Vault:
    """A provider of credentials that counts how often it was asked."""

    def __init__(self, *secrets: str, failing: Exception | None = None) -> None:
        self.secrets = list(secrets)
        self.failing = failing
        self.asked = 0

    async def __call__(self) -> bkjob.Credentials:
        """Return the next credentials."""
        self.asked += 1
        await asyncio.sleep(1)
        if self.failing is not None:
            raise self.failing
        secret = self.secrets.pop(0) if len(self.secrets) > 1 else self.secrets[0]
        return bkjob.AppCredentials(bk_app_code="app", bk_app_secret=secret)


async def test_a_provider_is_asked_once_however_many_wait() -> None:
    """At first use, by all at the same time."""
    vault, door = Vault("one"), Door(OK)
    session = session_of(door, credentials=vault)
    await asyncio.gather(*(session.call(READ) for _ in range(20)))

    assert (vault.asked, len(door.sent)) == (1, 20)


async def test_refused_credentials_are_asked_for_again_once() -> None:
    """The call goes out a second time, signed anew, and nobody notices."""
    vault = Vault("old", "new")
    door = Door(refusal(1640001, status=400), OK)
    await session_of(door, credentials=vault).call(READ)

    assert vault.asked == 2
    assert ["new" in request.headers["X-Bkapi-Authorization"] for request in door.sent] == [False, True]


async def test_credentials_that_stay_wrong_are_an_error() -> None:
    """Twice asked is enough."""
    vault, door = Vault("old"), Door(refusal(1640001, status=400))

    with pytest.raises(bkjob.NotAuthenticated) as refused:
        await session_of(door, credentials=vault).call(READ)
    assert (vault.asked, len(door.sent), refused.value.details.attempts) == (2, 2, 2)


async def test_plain_credentials_are_not_tried_again() -> None:
    """They would be as wrong the second time."""
    door = Door(refusal(1640001, status=400))

    with pytest.raises(bkjob.NotAuthenticated):
        await session_of(door).call(READ)
    assert len(door.sent) == 1


@pytest.mark.parametrize(("code", "tries"), [(1640001, 2), (1306000, 1)])
async def test_a_command_is_signed_anew_only_when_it_certainly_did_not_happen(code: int, tries: int) -> None:
    """The ESB says 1306000 for anything, so that code proves nothing."""
    door = Door(refusal(code), refusal(1241003))

    with pytest.raises(bkjob.CallFailed):
        await session_of(door, credentials=Vault("old", "new")).call(COMMAND)
    assert len(door.sent) == tries


async def test_a_provider_that_fails_is_an_error_of_ours() -> None:
    """A watch must be able to go on, so no foreign exception comes through."""
    session = session_of(Door(OK), credentials=Vault("x", failing=OSError("vault away")))

    with pytest.raises(bkjob.NotAuthenticated, match="provider failed: OSError") as failed:
        await session.call(READ)
    assert failed.value.__cause__ is None  # its frames may hold what was read
    assert not failed.value.details.sent


async def test_whoever_is_cancelled_does_not_disturb_the_others() -> None:
    """The provider goes on for those who still wait."""
    vault = Vault("one")
    session = session_of(Door(OK), credentials=vault)
    first, second = (asyncio.create_task(session.call(READ)) for _ in range(2))
    await asyncio.sleep(0.5)
    first.cancel()
    await asyncio.wait([first])

    assert (await second).is_finished
    assert vault.asked == 1


async def test_an_outage_is_not_answered_by_a_storm() -> None:
    """A thousand calls share their further tries; without that there would be 3000 requests."""
    door = Door(refusal(1240001))
    session = session_of(
        door, retries=bkjob.Retries(attempts=3, budget=20), limit=RateLimiter(max_in_flight=1000)
    )
    answers = await asyncio.gather(*(session.call(READ) for _ in range(1000)), return_exceptions=True)

    assert all(isinstance(answer, bkjob.PlatformTrouble) for answer in answers)
    assert 1010 <= len(door.sent) <= 1022


async def test_the_budget_comes_back() -> None:
    """By time, and by calls that work."""
    door = Door(refusal(1240001))
    session = session_of(door, retries=bkjob.Retries(attempts=2, budget=1))
    sent = []
    for _ in range(3):
        with pytest.raises(bkjob.PlatformTrouble):
            await session.call(READ)
        sent.append(len(door.sent))
        await asyncio.sleep(4)
    await asyncio.sleep(60)
    with pytest.raises(bkjob.PlatformTrouble):
        await session.call(READ)

    assert sent == [2, 3, 4]
    assert len(door.sent) == 6


async def test_the_announced_limit_holds_the_next_request() -> None:
    """The header says that nothing is left for 5 s: whoever waits in the queue waits longer."""
    spent = HttpResponse(
        status=200,
        headers={"x-bkapi-ratelimit-remaining": "0", "x-bkapi-ratelimit-reset": "5"},
        body=OK.body,
    )
    door = Door(spent, OK)
    session = session_of(door, limit=RateLimiter(max_in_flight=1))
    await asyncio.gather(session.call(READ), session.call(READ))

    assert door.times[1] - door.times[0] == pytest.approx(5.0)


async def test_a_refusal_holds_the_next_request() -> None:
    """The place is given on only when the door is closed."""
    door = Door(refusal(1306429), OK, latency=0.1)
    session = session_of(door, limit=RateLimiter(max_in_flight=1))
    await asyncio.gather(session.call(READ), session.call(READ))

    assert door.times[1] - door.times[0] >= 1.0


async def test_who_waits_when_the_client_closes_is_told() -> None:
    """Nobody waits for ever, and nothing goes out afterwards."""
    door = Door(OK, latency=50)
    session = session_of(door, limit=RateLimiter(max_in_flight=1))
    calls = [asyncio.create_task(session.call(READ)) for _ in range(3)]
    await asyncio.sleep(1)
    await session.aclose()
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(answer) for answer in answers[1:]] == [bkjob.ClientClosed] * 2
    assert len(door.sent) == 1


async def test_a_cancelled_call_gives_its_place_back() -> None:
    """Whether it waited or was under way."""
    session = session_of(Door(OK, latency=50), limit=RateLimiter(max_in_flight=1))
    calls = [asyncio.create_task(session.call(READ)) for _ in range(2)]
    await asyncio.sleep(1)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)

    assert (session.limiter.limit.in_flight, session.limiter.waiting) == (0, 0)


ECHOES: list[Callable[[], HttpResponse | Exception]] = [
    lambda: refusal(1640001, f"bad secret [{SECRET}]", status=400),
    lambda: refusal(9900403, "apply", permission={"actions": [{"id": SECRET, SECRET: [SECRET]}]}),
    lambda: refusal(1241003, f"bad_app_secret={SECRET}", request_id=SECRET),
    lambda: HttpResponse(status=502, body=f"<html><title>{SECRET}</title>".encode()),
    lambda: bkjob.TransportFailed(bkjob.ErrorDetails(message=f"cannot reach {SECRET}")),
    lambda: chained(OSError(f"cannot reach {SECRET}")),
]


def chained(cause: Exception) -> Exception:
    """Return what a transport raises *from* a foreign error."""
    error = bkjob.TransportFailed(bkjob.ErrorDetails(message="unreachable"))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("operation", [READ, COMMAND], ids=["read", "command"])
async def test_an_error_knows_its_call_and_no_secret(
    echo: Callable[[], HttpResponse | Exception], operation: bkjob.Operation[Any]
) -> None:
    """Not in its text, its details, its permission, nor in what stands behind it."""
    with pytest.raises(bkjob.CallFailed) as failed:
        await session_of(Door(echo())).call(operation)

    error = failed.value
    shown = "".join(traceback.format_exception(error, chain=True)) + repr(error) + repr(error.details)
    assert SECRET not in shown
    assert msgspec.json.encode(SECRET).decode()[1:-1] not in shown
    assert (error.operation, error.details.dialect) == (operation.name, "gateway-v3")
    assert error.details.attempts >= 1


# Looks --------------------------------------------------------------------------------------------------------------


async def test_a_question_is_made_ready_once() -> None:
    """It is asked again and again; each question and each answer is its own."""
    door = Door(OK)
    session = session_of(door)
    other = bkjob.GetJobInstanceStatus(ref=bkjob.JobRef(bkjob.Scope.biz(2), 2))
    for question in (READ, READ, other):
        await session.poll(question)
    first, second, third = door.sent

    assert (second.url, second.method, second.body) == (first.url, first.method, first.body)
    assert second.headers is first.headers
    assert third.url != first.url


async def test_what_was_made_ready_is_forgotten_with_its_credentials() -> None:
    """A look that is refused goes out once more, signed anew, and so do all that follow."""
    vault = Vault("old", "new")
    door = Door(OK, refusal(1640001, status=400), OK)
    session = session_of(door, credentials=vault)
    for _ in range(3):
        await session.poll(READ)

    assert ["new" in request.headers["X-Bkapi-Authorization"] for request in door.sent] == [
        *(False, False),
        *(True, True),
    ]


async def test_a_look_that_stays_refused_is_an_error_without_secrets() -> None:
    """After one renewal; what it says is the platform's word, not the secret in it."""
    vault, door = Vault("s3cr3tstuff"), Door(refusal(1640001, "no s3cr3tstuff here", status=400))

    with pytest.raises(bkjob.NotAuthenticated) as refused:
        await session_of(door, credentials=vault).poll(READ)
    assert (vault.asked, len(door.sent), refused.value.details.attempts) == (2, 2, 2)
    assert "s3cr3tstuff" not in "".join(traceback.format_exception(refused.value))


async def test_packed_answers_are_asked_for_where_that_is_cheaper() -> None:
    """The last answer tells how large the next will be; of the first nothing is known."""

    def padded(size: int) -> HttpResponse:
        return HttpResponse(status=200, body=OK.body + b" " * size)

    sizes = (100, 100, 100_000, 100_000, 5_000_000, 5_000_000)
    door = Door(*(padded(size) for size in sizes))
    session = session_of(door)
    for _ in sizes:
        await session.poll(READ)

    assert [request.accept_compressed for request in door.sent] == [True, False, False, True, True, False]


async def test_a_command_that_was_redirected_did_not_happen() -> None:
    """Whoever redirects is not the platform: the URL is wrong, and nothing is unknown."""
    door = Door(HttpResponse(status=302, headers={"location": "https://login.example.com/?next=x"}))
    with pytest.raises(bkjob.ApiNotFound, match=r"https://login\.example\.com/: the URL is wrong"):
        await session_of(door).call(COMMAND)

    assert len(door.sent) == 1
