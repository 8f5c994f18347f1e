"""Questions that are asked again and again, kept ready to be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.operations.base import Operation
from bkjob_async.model.refs import JobRef, Scope, StepRef

# How many questions are kept at most, at about 1 kB each.
KEPT = 4096
# Below, packing gains next to nothing; above, unpacking holds up the loop for longer than reading takes.
SMALLEST_PACKED, LARGEST_PACKED = 32_000, 1_500_000


class PreparedRequest:
    """A question ready to be sent, and whose share of what it counts towards."""

    __slots__ = ("question", "request", "resource", "scope")

    def __init__(self, question: Operation[Any], request: HttpRequest) -> None:
        self.question = question
        self.request = request
        self.resource = question.name
        self.scope = scope_of(question)

    def learn_size(self, size: int) -> None:
        """Ask for the answer packed where that pays, and as it is where not, now that it had so many bytes."""
        packed = SMALLEST_PACKED <= size <= LARGEST_PACKED
        if packed is not self.request.accept_compressed:
            self.request = evolve(self.request, accept_compressed=packed)


class PreparedRequestCache:
    """Keeps what *sign* makes of questions, by their identity: the engine asks the same objects again and again.

    What was not asked for since as many others were is forgotten, and so is all that carries other credentials.
    """

    __slots__ = ("_credentials", "_headers", "_new", "_old", "_sign")

    def __init__(self, sign: Callable[[Operation[Any], Credentials], HttpRequest]) -> None:
        """Keep nothing yet."""
        self._sign = sign
        self._new: dict[int, PreparedRequest] = {}
        self._old: dict[int, PreparedRequest] = {}
        self._credentials: Credentials | None = None
        self._headers: Mapping[str, str] = {}

    def get(self, question: Operation[Any], credentials: Credentials) -> PreparedRequest:
        """Return *question* ready to be sent with *credentials*."""
        if credentials is not self._credentials:
            self._credentials = credentials
            self._new, self._old = {}, {}
        found = self._new.get(id(question))
        return found if found is not None else self._keep(question, credentials)

    def _keep(self, question: Operation[Any], credentials: Credentials) -> PreparedRequest:
        if 2 * len(self._new) >= KEPT:
            self._new, self._old = {}, self._new
        ready = self._old.pop(id(question), None) or PreparedRequest(
            question, self._signed(question, credentials)
        )
        self._new[id(question)] = ready
        return ready

    def _signed(self, question: Operation[Any], credentials: Credentials) -> HttpRequest:
        request = self._sign(question, credentials)
        if request.headers == self._headers:  # one object, which the transport knows again
            return evolve(request, headers=self._headers)
        self._headers = request.headers
        return request


def scope_of(operation: Operation[Any]) -> Scope | None:
    """Return whose share *operation* counts towards, None where it belongs to no scope."""
    ref: JobRef | StepRef | None = getattr(operation, "ref", None)
    if ref is not None:
        return ref.scope
    scope: Scope | None = getattr(operation, "scope", None)
    return scope
