"""Requests of polls, prepared once and sent again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef

# The requests that are kept at most; each takes about 1 kB.
CACHE_SIZE = 4096
# The sizes of responses, in bytes, that are worth compressing. Compressing less gains nearly nothing; decompressing more
# blocks the event loop for longer than reading the response.
MIN_COMPRESSED, MAX_COMPRESSED = 32_000, 1_500_000


class PreparedRequest:
    """A signed request of *operation*, and the scope and the resource it counts towards."""

    __slots__ = ("operation", "request", "resource", "scope")

    def __init__(self, operation: Operation[Any], request: HttpRequest) -> None:
        self.operation = operation
        self.request = request
        self.resource = operation.name
        self.scope = scope_of(operation)

    def adapt_compression(self, size: int) -> None:
        """Accept a compressed response from now on if that pays for one of *size* bytes."""
        pays = MIN_COMPRESSED <= size <= MAX_COMPRESSED
        if pays is not self.request.accept_compressed:
            self.request = evolve(self.request, accept_compressed=pays)


class PreparedRequestCache:
    """Keeps what *sign* makes of operations, by their identity: the engine sends the same objects again and again.

    An operation that was not used since half of CACHE_SIZE others were is dropped. Other credentials drop everything.
    """

    __slots__ = ("_credentials", "_headers", "_new", "_old", "_sign")

    def __init__(self, sign: Callable[[Operation[Any], Credentials], HttpRequest]) -> None:
        """Keep nothing yet."""
        self._sign = sign
        self._new: dict[int, PreparedRequest] = {}
        self._old: dict[int, PreparedRequest] = {}
        self._credentials: Credentials | None = None
        self._headers: Mapping[str, str] = {}

    def get(self, operation: Operation[Any], credentials: Credentials) -> PreparedRequest:
        """Return the request of *operation*, signed with *credentials*."""
        if credentials is not self._credentials:
            self._credentials = credentials
            self._new, self._old = {}, {}
        found = self._new.get(id(operation))
        return found if found is not None else self._keep(operation, credentials)

    def _keep(self, operation: Operation[Any], credentials: Credentials) -> PreparedRequest:
        if 2 * len(self._new) >= CACHE_SIZE:
            self._new, self._old = {}, self._new
        prepared = self._old.pop(id(operation), None) or PreparedRequest(
            operation, self._signed(operation, credentials)
        )
        self._new[id(operation)] = prepared
        return prepared

    def _signed(self, operation: Operation[Any], credentials: Credentials) -> HttpRequest:
        request = self._sign(operation, credentials)
        if request.headers == self._headers:  # one object for all, which the transport compares by identity
            return evolve(request, headers=self._headers)
        self._headers = request.headers
        return request


def scope_of(operation: Operation[Any]) -> Scope | None:
    """Return the scope whose share *operation* counts towards, None where it has none."""
    ref: JobRef | StepRef | None = getattr(operation, "ref", None)
    if ref is not None:
        return ref.scope
    scope: Scope | None = getattr(operation, "scope", None)
    return scope
