"""What every dialect offers, and the table that it is made of."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, overload

from attrs import frozen

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.capabilities import Capabilities
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.look import JobLook, StepLook
from bkjob_async.model.operations import GetJobInstanceStatus, GetStepInstanceStatus, Operation

R = TypeVar("R")


class Dialect(Protocol):
    """One way to speak with the platform: pure translation.

    `encode` makes a relative, unsigned request; it raises `NotSupported` for what the dialect cannot do. `sign` puts
    credentials where this dialect expects them, never into a URL. `decode` returns the typed answer or raises the
    typed error; `look` reads the same bytes as lightly as the engine needs.
    """

    @property
    def name(self) -> str:
        """The dialect's name, as `connect` takes it."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What can be asked in it."""
        ...

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Put *operation* into a relative, unsigned request; raise `NotSupported`."""
        ...

    def sign(self, request: HttpRequest, credentials: Credentials) -> HttpRequest:
        """Add *credentials* where this dialect expects them."""
        ...

    def decode(self, operation: Operation[R], response: HttpResponse) -> R:
        """Return the typed answer to *operation*, or raise a `CallFailed`."""
        ...

    @overload
    def look(self, operation: GetJobInstanceStatus, response: HttpResponse) -> JobLook: ...
    @overload
    def look(self, operation: GetStepInstanceStatus, response: HttpResponse) -> StepLook: ...


@frozen(kw_only=True)
class Call:
    """One line of a dialect's table: how an operation travels there and back.

    *parameters* turns the operation into the platform's parameters; *read* turns the envelope's `data` into the
    model. A GET carries parameters in the query, a POST as a JSON body.
    """

    method: str
    path: str
    parameters: Callable[[Any], Mapping[str, Any]]
    read: Callable[[Any, Any], Any]
