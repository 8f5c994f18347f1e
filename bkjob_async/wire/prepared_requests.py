"""Requests of polls, prepared once and sent again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef
from bkjob_async.model.structures.bounded_cache import BoundedCache
from bkjob_async.wire.request_templates import RequestTemplate, RequestTemplates

# The requests that are kept at most; each takes about 1 kB.
CACHE_SIZE = 4096
# The sizes of responses, in bytes, that are worth compressing. Compressing less gains nearly nothing; decompressing more
# blocks the event loop for longer than reading the response.
MIN_COMPRESSED, MAX_COMPRESSED = 32_000, 1_500_000


class PreparedRequest:
    """A signed request of *operation*, and the scope and the resource it counts towards."""

    __slots__ = ("_template", "operation", "request", "resource", "scope")

    def __init__(
        self, operation: Operation[Any], request: HttpRequest, template: RequestTemplate | None = None
    ) -> None:
        self._template = template
        self.operation = operation
        self.request = request
        self.resource = operation.name
        self.scope = scope_of(operation)

    def adapt_compression(self, size: int) -> None:
        """Accept a compressed response from now on if that pays for one of *size* bytes."""
        pays = MIN_COMPRESSED <= size <= MAX_COMPRESSED
        if pays is not self.request.accept_compressed:
            self.request = evolve(self.request, accept_compressed=pays)
            if self._template is not None:
                self._template.accept_compressed = pays


class PreparedRequestCache:
    """Keeps what *sign* makes of operations, by their identity: the engine sends the same objects again and again.

    Of an operation that finds no room, the template of its kind is kept. Other credentials drop everything.
    """

    __slots__ = ("_credentials", "_headers", "_kept", "_sign", "_templates")

    def __init__(self, sign: Callable[[Operation[Any], Credentials], HttpRequest]) -> None:
        self._sign = sign
        self._kept: BoundedCache[int, PreparedRequest] = BoundedCache(CACHE_SIZE)
        self._templates = RequestTemplates()
        self._credentials: Credentials | None = None
        self._headers: Mapping[str, str] = {}

    def get(self, operation: Operation[Any], credentials: Credentials) -> PreparedRequest:
        """Return the request of *operation*, signed with *credentials*."""
        if credentials is not self._credentials:
            self._credentials = credentials
            self._kept, self._templates = BoundedCache(CACHE_SIZE), RequestTemplates()
        kept = self._kept.values.get(id(operation))
        if kept is not None:
            return kept
        request, template = self._templates.request(operation, lambda other: self._signed(other, credentials))
        return self._kept.keep(id(operation), PreparedRequest(operation, request, template))

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
