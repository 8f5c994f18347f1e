"""Observations, one class for each thing that happens inside a client, and what an observer is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, get_args

from msgspec import Struct

from bkjob_async.model.refs import Ref

NO_EVENTS: Mapping[str, int] = MappingProxyType({})


class RequestSent(Struct, frozen=True, kw_only=True):
    """One HTTP request was answered, failed or was cancelled; every retry is a request of its own.

    *outcome* is `ok`, or the name of the error's class. *http_status* is None and *bytes* 0 where no response
    came. *seconds* is the time from sending the request to its response or failure; *queue_seconds* the time
    before that, while limits held it back. *attempt* counts from 1. *server*, *port* and *path* are those of
    the URL. *is_poll* is True for requests that polling sends by itself.

    *client* is the name of the client. *operation* is the platform's name of the request, *ref* its job or
    step, None for others. *request_id* is the platform's, "" for none. *method* is that of HTTP.
    """

    client: str
    operation: str
    ref: Ref | None = None
    outcome: str = "ok"
    http_status: int | None = None
    seconds: float
    queue_seconds: float = 0.0
    bytes: int = 0
    attempt: int = 1
    request_id: str = ""
    method: str = "GET"
    server: str = ""
    port: int | None = None
    path: str = ""
    is_poll: bool = False


class PollCompleted(Struct, frozen=True, kw_only=True):
    """One poll was completed, in *seconds*, with so many *events* or with an *error*, the name of its class.

    *ref* is the target that was polled, None when a list was polled in place of many. *operation* is the
    platform's name of the request. *events_by_kind* counts the events by their `kind`. *decode_seconds* is
    how long reading the response took. *lag_bounds* has each target whose end this poll was the first to
    show, with the seconds since it was last seen unfinished: it ended at most so long ago. *watches* are the
    numbers of the watches that follow the target.

    *client* is the name of the client.
    """

    client: str
    ref: Ref | None
    operation: str
    seconds: float
    events: int = 0
    error: str | None = None
    events_by_kind: Mapping[str, int] = NO_EVENTS
    decode_seconds: float = 0.0
    lag_bounds: tuple[tuple[Ref, float], ...] = ()
    watches: tuple[int, ...] = ()


class PollingFailed(Struct, frozen=True, kw_only=True):
    """Polling a target, or all *targets* (*ref* None), began to fail; *error* is the name of the error's class.

    *client* is the name of the client. *operation* is the platform's name of the request that failed,
    *message* the text of the error, *request_id* the platform's, "" for none.
    """

    client: str
    ref: Ref | None
    operation: str
    error: str
    message: str
    request_id: str = ""
    targets: int = 1


class PollingRecovered(Struct, frozen=True, kw_only=True):
    """Polling a target, or all *targets* (*ref* None), works again.

    *client* is the name of the client.
    """

    client: str
    ref: Ref | None
    targets: int = 1


class RateLimitHit(Struct, frozen=True, kw_only=True):
    """The gateway lets no further request through for *pause* seconds.

    *refused*: it refused a request for *operation*; otherwise it announced with a response that none remain.

    *client* is the name of the client.
    """

    client: str
    operation: str
    refused: bool
    pause: float


class BreakerChanged(Struct, frozen=True, kw_only=True):
    """The platform as a whole stopped responding, and only single probes go out (*is_open*), or it responds again.

    *client* is the name of the client.
    """

    client: str
    is_open: bool


class OperationSent(Struct, frozen=True, kw_only=True):
    """A launch or an operation was sent, or could not be sent.

    *outcome* is `accepted`, `refused`, or `unknown` where no clear response came; *error* is the name of the
    error's class, None for none. *ref* is what was launched or operated on, None where that is not known.
    *is_launch* distinguishes launches from operations on what runs already. *seconds* includes waiting for permission
    to send.

    *client* is the name of the client. *operation* is the platform's name.
    """

    client: str
    operation: str
    ref: Ref | None
    outcome: str
    error: str | None = None
    is_launch: bool
    seconds: float


class WatchOpened(Struct, frozen=True, kw_only=True):
    """A watch with so many *targets* was opened; *watch* is its number within the client.

    *client* is the name of the client.
    """

    client: str
    watch: int
    targets: int


class WatchClosed(Struct, frozen=True, kw_only=True):
    """A watch ended after *seconds*, with so many of its *targets* over; *error* is the name of an error's class.

    *client* is the name of the client, *watch* the number of the watch within it. *over* targets were over;
    *events* were delivered, *polls* sent.
    """

    client: str
    watch: int
    targets: int
    over: int
    events: int
    polls: int
    seconds: float
    error: str | None = None


Observation = (
    RequestSent
    | PollCompleted
    | PollingFailed
    | PollingRecovered
    | RateLimitHit
    | BreakerChanged
    | OperationSent
    | WatchOpened
    | WatchClosed
)
OBSERVATIONS: frozenset[type[Observation]] = frozenset(get_args(Observation))


class Observer(Protocol):
    """A callable that receives observations; it runs in the event loop, so it must return quickly.

    What it receives of polls comes in callbacks of the event loop, mostly outside of any task.

    An attribute `kinds`, a set of classes of `Observation`, limits what it receives; observations that nobody
    listens to are not created. A plain function receives all. An attribute `polls` that is False leaves out
    single polls and their requests; `quiet_polls` that is False leaves out polls that neither failed nor gave an event, and
    the requests of all polls. A method `counting(client, counters)` is called once for each client, with its
    name and the numbers that count its requests and polls from then on.

    Two methods are for tracing, where an observer has them: `around(verb, ref)` returns a context manager that
    surrounds a launch, an operation, a `wait` or a shortcut, and `headers()` returns headers for requests that no
    poll sends. An observer that raises an error is logged once, with its error, and receives nothing from then on.
    """

    def __call__(self, observation: Observation, /) -> None:
        """Receive one observation."""
        ...
