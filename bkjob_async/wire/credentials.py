"""The credentials that sign requests: given once, or fetched from a provider."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from contextvars import ContextVar, copy_context
from inspect import isawaitable
from pathlib import PurePath
from typing import Any, Protocol, TypeGuard

from attrs import field, frozen
from msgspec.structs import replace

from bkjob_async.dialects.common.redaction import redact_named
from bkjob_async.errors import CallFailed, ErrorDetails, NotAuthenticated, OutcomeUnknown, UsageError
from bkjob_async.model.base_error import WrongType
from bkjob_async.model.credentials import AccessToken, AppCredentials, Credentials, secrets_of
from bkjob_async.wire.limits.request_limiter import client_closed


def _provides(_owner: object, _attribute: Any, provider: Any) -> None:
    if not is_provider(provider):
        raise WrongType(
            f"PerCall takes an async callable that returns credentials, not {type(provider).__name__}"
        )


class CredentialsProvider(Protocol):
    """An async callable that returns credentials, read from a vault for example, or refreshed.

    It is called once for all calls of a client, and again when the platform rejects what it returned; it runs in the
    context in which the client was made, so that it does not see the context variables of whoever calls first. One that
    returns those of the caller is declared with `PerCall`. It is cancelled after three minutes, and everybody who waits
    gets `NotAuthenticated`.
    """

    def __call__(self) -> Awaitable[Credentials]:
        """Return the credentials to use from now on."""
        ...


CredentialsSource = Credentials | CredentialsProvider


@frozen
class PerCall:
    """A provider of the caller's own credentials, for `JobClient.with_options`.

    *provider* is called for each call, within the context of that call, and what it returns is used for this call
    alone: it may read a context variable. Polls belong to no call: they are sent with the credentials of `connect`.

    >>> async def of_user() -> bkjob.AppCredentials:
    ...     return bkjob.AppCredentials(bk_app_code="ops", bk_app_secret="...", bk_token=token.get())
    >>> users = client.with_options(credentials=bkjob.PerCall(of_user))
    """

    provider: CredentialsProvider = field(validator=_provides)


# A provider may ask a person for a PIN; one that takes longer is not going to return. (seconds)
PROVIDER_TIMEOUT = 180.0
# A request may still be under way with earlier credentials, so their secrets are still hidden.
MAX_KNOWN = 3
# The cache whose provider is called in this context, or was.
CALLING: ContextVar[CredentialsCache | None] = ContextVar("CALLING", default=None)


class CredentialsCache:
    """The credentials of a session, of a view with its own, or of one call.

    A provider is called at first use, and again after `invalidate`, in the context in which the cache was made. However
    many requests wait, it is called once, and the cancellation of one does not disturb the others. `current` is None until
    there are credentials.
    """

    def __init__(self, source: CredentialsSource) -> None:
        """Hold plain credentials, or a provider of them."""
        self._provider: CredentialsProvider | None = None
        self.current: Credentials | None = None
        if isinstance(source, AppCredentials | AccessToken):
            self.current = source
        elif is_provider(source):
            self._provider = source
        elif isinstance(source, PerCall):
            raise UsageError(
                "polls of a watch belong to no call: give connect() credentials of its own, and PerCall to"
                " client.with_options(credentials=...)"
            )
        else:
            raise UsageError(
                "credentials must be AppCredentials, an AccessToken, or an async callable that returns one"
            )
        self._known: deque[Credentials] = deque([self.current] if self.current else [], maxlen=MAX_KNOWN)
        self._fetching: asyncio.Task[Credentials] | None = None
        self._is_closed = False
        # How many requests wait for the provider.
        self.waiting = 0
        # Not that of the first caller: its user's credentials would be used for all.
        self._context = copy_context()

    @property
    def secrets(self) -> tuple[str, ...]:
        """All secrets that must not be shown."""
        return tuple(secret for credentials in self._known for secret in secrets_of(credentials))

    async def fetch(self) -> Credentials:
        """Return the current credentials, from the provider if need be.

        Raises `NotAuthenticated` when the provider has none, `ClientClosed` after `close`.
        """
        if self.current is not None:
            return self.current
        self._check_open()
        outer = CALLING.get()
        if outer is not None and outer.is_calling(self._provider):
            raise UsageError(
                "the credentials provider calls the client that waits for it; let it use another client, with"
                " credentials that are given"
            )
        if self._fetching is None and self._provider is not None:
            call = self._call(self._provider)
            self._fetching = asyncio.get_running_loop().create_task(call, context=self._context.copy())
            self._fetching.add_done_callback(retrieve_exception)
        fetching = self._fetching
        assert fetching is not None  # noqa: S101 - without a provider the credentials were given
        self.waiting += 1
        try:
            # Unlike `shield`, it does not pass the cancellation of the provider on, by `close`.
            await asyncio.wait((fetching,))
        finally:
            self.waiting -= 1
        self._check_open()
        if fetching.cancelled():  # by whoever ends all tasks of the event loop
            raise client_closed()
        return fetching.result()

    def is_calling(self, provider: CredentialsProvider | None) -> bool:
        """Return True while the cache waits for *provider*, which would wait for itself if it asked for its credentials."""
        return self._fetching is not None and self._provider is provider

    def _check_open(self) -> None:
        """Raise `ClientClosed` after `close`."""
        if self._is_closed:
            raise client_closed()

    def invalidate(self, refused: Credentials) -> bool:
        """Drop *refused* credentials; return whether the provider may have others."""
        if self._provider is None:
            return False
        if self.current is refused:
            self.current = None
        return True

    async def _call(self, provider: CredentialsProvider) -> Credentials:
        CALLING.set(self)
        fresh: object = None
        failure: CallFailed | None = None
        limit = asyncio.timeout(PROVIDER_TIMEOUT)
        try:
            pending: object = provider()
            if isawaitable(pending):
                async with limit:
                    fresh = await pending
            else:
                message = "the credentials provider is not async: write it as async def"
                failure = NotAuthenticated(ErrorDetails(message=message, sent=False))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # What the provider awaits was cancelled: nobody who waits for credentials is.
            message = f"the credentials provider failed: {type(error).__name__}"
            failure = NotAuthenticated(ErrorDetails(message=message, sent=False))
        except CallFailed as error:
            # What the provider sent was its own request: nothing of the caller's operation.
            kind = NotAuthenticated if isinstance(error, OutcomeUnknown) else type(error)
            failure = kind(replace(error.details, message=redact_named(error.details.message), sent=False))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below
            failure = NotAuthenticated(ErrorDetails(message=cause_of(error, limit), sent=False))
        finally:
            self._fetching = None
        if failure is not None:
            raise failure
        if not isinstance(fresh, AppCredentials | AccessToken):
            message = f"the credentials provider returned {type(fresh).__name__}, not credentials"
            raise NotAuthenticated(ErrorDetails(message=message, sent=False))
        self.current = fresh
        self._known.append(fresh)
        return fresh

    def close(self) -> asyncio.Task[Credentials] | None:
        """Cancel the provider, and call it no more; return its task if it is called. Harmless when repeated."""
        self._is_closed = True
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
        return fetching


def cause_of(error: Exception, limit: asyncio.Timeout) -> str:
    """Return what to say of a provider's own *error*: not its text, which may contain the secrets it was about to return."""
    if limit.expired():
        return f"the credentials provider has returned nothing for {PROVIDER_TIMEOUT:g} s"
    cause = f"the credentials provider failed: {type(error).__name__}"
    if isinstance(error, UsageError):  # written to be read, by whoever set the provider up
        return f"{cause}: {redact_named(str(error))}"
    is_unset = isinstance(error, LookupError)
    advice = "; context variables of callers are seen by a provider that is PerCall" if is_unset else ""
    return f"{cause}{place_of(error)}{advice}"


def place_of(error: Exception) -> str:
    """Return the file and line of the provider that raised *error*, "" where it could not be called."""
    inside = error.__traceback__ and error.__traceback__.tb_next
    if inside is None:
        return ""
    return f" in {PurePath(inside.tb_frame.f_code.co_filename).name}, line {inside.tb_lineno}"


def is_provider(source: object) -> TypeGuard[CredentialsProvider]:
    """Return True for what can be called for credentials; their classes cannot."""
    return callable(source) and not isinstance(source, type)


def retrieve_exception(fetching: asyncio.Task[Credentials]) -> None:
    """Retrieve the exception, else asyncio logs it when nobody waits any more."""
    if not fetching.cancelled():
        fetching.exception()
