"""Credentials from a provider: called once, hidden, and let go of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.wire.credentials import MAX_KNOWN, CredentialsCache

SECRET = "kept-in-a-vault"


def credentials(secret: str = SECRET) -> bkjob.AppCredentials:
    """Return credentials with this secret."""
    return bkjob.AppCredentials(bk_app_code="app", bk_app_secret=secret)


def provider_of(*results: Any) -> Callable[[], Awaitable[Any]]:
    """Return a provider that returns or raises one result after the other."""
    left = list(results)

    async def provide() -> Any:
        await asyncio.sleep(0)
        result = left.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    return provide


async def test_what_is_no_credentials_is_refused_at_once() -> None:
    """A secret given as plain text, for example; the error does not repeat it."""
    with pytest.raises(bkjob.UsageError, match="AppCredentials") as refused:
        CredentialsCache(SECRET)  # type: ignore[arg-type]

    assert SECRET not in str(refused.value)


async def test_a_provider_that_returns_something_else_is_named() -> None:
    """By the type of what it returned: the value may be a secret."""
    cache = CredentialsCache(provider_of(SECRET, credentials()))

    with pytest.raises(bkjob.NotAuthenticated, match="returned str") as failed:
        await cache.fetch()
    assert SECRET not in str(failed.value)
    assert await cache.fetch() == credentials()
    assert await cache.fetch() is cache.current


async def test_an_error_of_a_provider_that_calls_the_platform_keeps_its_class() -> None:
    """It may be worth another attempt; what its text names as a secret is taken out."""
    details = bkjob.ErrorDetails(message=f"bk_app_secret={SECRET} was refused", sent=False)
    cache = CredentialsCache(provider_of(bkjob.TransportFailed(details)))

    with pytest.raises(bkjob.TransportFailed, match="refused") as failed:
        await cache.fetch()

    assert SECRET not in str(failed.value)


async def test_an_error_of_a_provider_says_where_it_was_raised_and_not_what_it_says() -> None:
    """Its text and its frames may hold the secret; the line is enough to find it."""

    async def provide() -> bkjob.AppCredentials:
        raise RuntimeError(SECRET)

    line = provide.__code__.co_firstlineno + 1
    with pytest.raises(bkjob.NotAuthenticated) as failed:
        await CredentialsCache(provide).fetch()

    where = f"the credentials provider failed: RuntimeError in test_credentials.py, line {line}; "
    assert where in str(failed.value)
    assert SECRET not in str(failed.value)
    assert failed.value.__cause__ is None


async def test_a_provider_that_awaits_what_is_cancelled_has_failed() -> None:
    """Nobody who waits for credentials is cancelled with it; the next one calls the provider again."""
    cache = CredentialsCache(provider_of(asyncio.CancelledError(), credentials()))
    with pytest.raises(bkjob.NotAuthenticated, match="the credentials provider failed: CancelledError"):
        await cache.fetch()

    assert await cache.fetch() == credentials()


@pytest.mark.looptime
async def test_a_provider_that_hangs_is_given_up_and_called_again() -> None:
    """A person may have to enter a PIN in between; what never comes is an error for all who wait."""
    calls: list[float] = []

    async def provide() -> bkjob.Credentials:
        calls.append(asyncio.get_running_loop().time())
        await asyncio.sleep(100.0 if len(calls) > 1 else 1e9)
        return credentials()

    cache = CredentialsCache(provide)
    waiting = [asyncio.ensure_future(cache.fetch()) for _ in range(2)]
    found = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(each) for each in found] == [bkjob.NotAuthenticated] * 2
    assert "returned nothing for 180 s" in str(found[0])
    assert await cache.fetch() == credentials()
    assert calls == [0.0, 180.0]


async def test_earlier_secrets_stay_hidden_for_a_while() -> None:
    """A response to a request that was signed with them may still come; older ones are forgotten."""
    cache = CredentialsCache(provider_of(*(credentials(f"secret-number-{n}") for n in range(MAX_KNOWN + 1))))
    for _ in range(MAX_KNOWN + 1):
        assert cache.invalidate(await cache.fetch())

    assert cache.current is None
    assert cache.secrets == tuple(f"secret-number-{n}" for n in range(1, MAX_KNOWN + 1))


async def test_refused_credentials_that_were_replaced_already_cost_no_second_call() -> None:
    """Two requests were refused with the same ones; the second finds the new ones."""
    cache = CredentialsCache(provider_of(credentials("old-secret"), credentials("new-secret")))
    old = await cache.fetch()
    cache.invalidate(old)
    new = await cache.fetch()

    assert cache.invalidate(old)
    assert cache.current is new


async def test_closing_cancels_a_provider_under_way() -> None:
    """Whoever waits for it is told so, and is not cancelled; closing again is harmless."""
    hangs, ended = asyncio.Event(), list[str]()

    async def provide() -> bkjob.Credentials:
        try:
            await hangs.wait()
        finally:
            ended.append("provider")
        return credentials()

    cache = CredentialsCache(provide)
    waiting = [asyncio.ensure_future(cache.fetch()) for _ in range(2)]
    await asyncio.sleep(0.01)
    cache.close()
    cache.close()
    found = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(each) for each in found] == [bkjob.ClientClosed] * 2
    assert ended == ["provider"]
    assert cache.waiting == 0


@pytest.mark.parametrize("result", [OSError("gone"), SECRET, credentials()], ids=["fails", "wrong", "comes"])
async def test_what_a_provider_makes_of_being_cancelled_is_not_asked_for(result: Any) -> None:
    """The client is closed, whatever the provider says to that."""

    async def provide() -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if isinstance(result, OSError):
                raise result from None
        return result

    cache = CredentialsCache(provide)
    waiting = asyncio.ensure_future(cache.fetch())
    await asyncio.sleep(0.01)
    cache.close()

    with pytest.raises(bkjob.ClientClosed):
        await waiting


async def test_a_closed_client_calls_no_provider() -> None:
    """Not even for a call that was under way when it was closed."""
    calls: list[None] = []

    async def provide() -> bkjob.Credentials:
        calls.append(None)
        return credentials()

    cache = CredentialsCache(provide)
    cache.invalidate(await cache.fetch())
    cache.close()

    with pytest.raises(bkjob.ClientClosed):
        await cache.fetch()
    assert len(calls) == 1


async def test_a_provider_that_is_waited_for_cannot_ask_for_its_own_credentials() -> None:
    """It would wait for itself; so would what it awaits in tasks of its own. What it begins and leaves behind may."""
    left: list[asyncio.Task[bkjob.Credentials]] = []

    async def later() -> bkjob.Credentials:
        await asyncio.sleep(0.01)
        return await cache.fetch()

    async def provide() -> bkjob.Credentials:
        left.append(asyncio.create_task(later()))
        if len(left) == 1:
            await asyncio.gather(cache.fetch())
        return credentials()

    cache = CredentialsCache(provide)
    with pytest.raises(bkjob.NotAuthenticated, match="the credentials provider calls the client"):
        await asyncio.wait_for(cache.fetch(), 1.0)
    assert await left[0] == credentials()
    assert await cache.fetch() == credentials()
    assert await left[1] == credentials()
