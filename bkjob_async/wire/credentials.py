"""Whose credentials sign a request: given once, or asked for and asked for again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Protocol

from attrs import evolve

from bkjob_async.dialects.common.redaction import redact_named
from bkjob_async.errors import CallFailed, ErrorDetails, NotAuthenticated, UsageError
from bkjob_async.model.credentials import AccessToken, AppCredentials, Credentials, secrets_of


class CredentialsProvider(Protocol):
    """An async callable that returns credentials: read from a vault, or just refreshed."""

    def __call__(self) -> Awaitable[Credentials]:
        """Return the credentials to use from now on."""
        ...


CredentialsSource = Credentials | CredentialsProvider

# A request may still be under way with the credentials before the present ones.
REMEMBERED = 3


class CredentialsCache:
    """The credentials of a session.

    A provider is asked at first use, and once more by whoever is refused with what it gave. However many wait, it is
    asked once; one of them being cancelled does not disturb the others. `held` are the present ones, None until a
    provider was asked.
    """

    def __init__(self, source: CredentialsSource) -> None:
        """Hold plain credentials, or ask a provider for them."""
        self._provider: CredentialsProvider | None = None
        self.held: Credentials | None = None
        if isinstance(source, AppCredentials | AccessToken):
            self.held = source
        elif callable(source):
            self._provider = source
        else:
            raise UsageError(
                "credentials are AppCredentials, an AccessToken, or an async callable returning one"
            )
        self._known: deque[Credentials] = deque([self.held] if self.held else [], maxlen=REMEMBERED)
        self._asking: asyncio.Task[Credentials] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that may show somewhere."""
        return tuple(secret for credentials in self._known for secret in secrets_of(credentials))

    async def get(self) -> Credentials:
        """Return the present credentials; raise `NotAuthenticated` when the provider has none."""
        if self.held is not None:
            return self.held
        if self._asking is None and self._provider is not None:
            self._asking = asyncio.get_running_loop().create_task(self._ask(self._provider))
            self._asking.add_done_callback(take_note)
        assert self._asking is not None  # noqa: S101 - without a provider the credentials were given
        return await asyncio.shield(self._asking)

    def forget(self, refused: Credentials) -> bool:
        """Let go of *refused* credentials; return whether asking again can bring others."""
        if self._provider is None:
            return False
        if self.held is refused:
            self.held = None
        return True

    async def _ask(self, provider: CredentialsProvider) -> Credentials:
        fresh: object = None
        failure: CallFailed | None = None
        try:
            fresh = await provider()
        except CallFailed as error:
            failure = type(error)(evolve(error.details, message=redact_named(error.details.message)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below
            # Its text and its frames may hold what it was about to return.
            message = f"the credentials provider failed: {type(error).__name__}"
            failure = NotAuthenticated(ErrorDetails(message=message, sent=False))
        finally:
            self._asking = None
        if failure is not None:
            raise failure
        if not isinstance(fresh, AppCredentials | AccessToken):
            message = f"the credentials provider returned {type(fresh).__name__}, no credentials"
            raise NotAuthenticated(ErrorDetails(message=message, sent=False))
        self.held = fresh
        self._known.append(fresh)
        return fresh

    async def aclose(self) -> None:
        """Stop asking; harmless when repeated."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.wait([asking])


def take_note(asking: asyncio.Task[Credentials]) -> None:
    """Take note of how it ended, so that nobody complains when all who waited have gone."""
    if not asking.cancelled():
        asking.exception()
