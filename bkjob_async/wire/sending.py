"""One operation on its way to the platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from bkjob_async.http_messages import HttpRequest, HttpResponse, Received
from bkjob_async.model.credentials import Credentials, secrets_of
from bkjob_async.model.operations.base import Operation
from bkjob_async.wire.credentials import CredentialsCache
from bkjob_async.wire.limits.permits import Permit

T = TypeVar("T")


class Sending(Struct, Generic[T], eq=False, kw_only=True):
    """An operation, how it is signed and its response read, and what is known of its present attempt.

    It is signed with what is *held*, at present `credentials`; those of the client are *usual*. Each attempt has *timeout*
    seconds, and a *permit* of its own: that of the first one of a poll is given, may have *received* something already, and
    is released by the poll runner. Requests and responses may hold secrets, so the repr shows neither.
    """

    operation: Operation[Any]
    sign: Callable[[Credentials], HttpRequest]
    decode: Callable[[HttpResponse], T]
    timeout: float
    usual: CredentialsCache
    held: CredentialsCache
    urgent: bool = False
    is_poll: bool = False
    permit: Permit | None = None
    received: Received | None = None
    credentials: Credentials | None = None
    attempt: int = 1

    def __repr__(self) -> str:
        return f"Sending({self.operation.name}, attempt={self.attempt})"

    def secrets(self) -> tuple[str, ...]:
        """Return all secrets that must not be shown.

        `credentials` may have been replaced many times since the request was signed with them.
        """
        signed_with = () if self.credentials is None else secrets_of(self.credentials)
        return tuple(dict.fromkeys((*self.usual.secrets, *self.held.secrets, *signed_with)))
