"""Pass observations to observers, so that one which raises does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from logging import DEBUG, ERROR
from typing import Any

from bkjob_async.errors import UsageError
from bkjob_async.model.base_error import WrongType, kind_of
from bkjob_async.model.refs import Ref
from bkjob_async.observe.counters import Counters, PollCounts
from bkjob_async.observe.observer import OBSERVATIONS, Observation, Observer, PollCompleted, RequestSent
from bkjob_async.observe.to_logging import LEVELS, Log, log_safely, logger, polling_logger, requests_logger

NOTHING = nullcontext()


class ObserverDispatch:
    """Passes each observation of one client to the observers that listen to its kind, and to the log.

    `polls` counts polls. `counters` count the other happenings as plain numbers, None until they are asked for.
    `has_poll_observers` is whether an observer listens to some polls, or to their requests.
    An observer that raises is logged once, with its error, and removed. A handler of the log that raises does no harm either.
    """

    def __init__(self, observers: Iterable[Observer] = (), *, client: str = "") -> None:
        """Pass observations to *observers*, in their order; *client* is the name that observations carry."""
        self.client = client
        self.polls = PollCounts()
        self.counters: Counters | None = None
        self._observers = as_observers(observers)
        self._log = Log()
        for observer in self._observers:
            check(observer)
            if counting := getattr(observer, "counting", None):
                counting(client, self.start_counting())
        self._sort()

    def start_counting(self) -> Counters:
        """Count from now on; return the numbers."""
        if self.counters is None:
            self.counters = Counters(self.polls)
        return self.counters

    def _sort(self) -> None:
        """Sort the observers by what they listen to."""
        self._listeners = {
            kind: tuple(each for each in self._observers if kind in kinds_of(each)) for kind in OBSERVATIONS
        }
        polls, requests = self._listeners[PollCompleted], self._listeners[RequestSent]
        self._polls = tuple(filter(wants_polls, polls))
        self._quiet_polls = tuple(filter(wants_quiet_polls, polls))
        self._polled_requests = tuple(filter(wants_quiet_polls, requests))
        self.has_poll_observers = bool(self._polls or self._polled_requests)

    # Asked for every request, and for every poll that somebody may listen to.

    @property
    def wants_polls(self) -> bool:
        """Whether anybody listens to polls."""
        return bool(self._polls) or polling_logger.isEnabledFor(DEBUG)

    @property
    def wants_quiet_polls(self) -> bool:
        """Whether anybody listens to polls that gave no event, too."""
        return bool(self._quiet_polls) or polling_logger.isEnabledFor(DEBUG)

    @property
    def wants_polled_requests(self) -> bool:
        """Whether anybody listens to the requests of polls."""
        return bool(self._polled_requests) or requests_logger.isEnabledFor(DEBUG)

    @property
    def wants_requests(self) -> bool:
        """Whether anybody listens to requests other than those of polls."""
        return self.listens(RequestSent)

    def listens(self, kind: type[Observation]) -> bool:
        """Return True when anybody listens to *kind*, which is not that of every poll."""
        its_logger, level = LEVELS[kind]
        return bool(self._listeners[kind]) or its_logger.isEnabledFor(level)

    def around(self, verb: str, ref: Ref | None = None) -> AbstractContextManager[object]:
        """Return what surrounds a call of the client named *verb*, about *ref* where that is known."""
        tracing: list[Any] = [each for each in self._observers if hasattr(each, "around")]
        if not tracing:
            return NOTHING
        stack = ExitStack()
        for observer in tracing:
            try:
                surrounding = observer.around(verb, ref)
                surrounding.__enter__()
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - whatever it raises concerns the observer alone
                self._remove(observer, verb)
            else:
                stack.push(partial(self._leave, observer, verb, surrounding))
        return stack

    def _leave(
        self, observer: Observer, verb: str, surrounding: AbstractContextManager[object], *ended_with: Any
    ) -> None:
        """Leave what surrounds a call, and take no part of how that *ended_with* an error, or with none."""
        try:
            surrounding.__exit__(*ended_with)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it raises concerns the observer alone
            if error is not ended_with[1]:
                self._remove(observer, verb)

    def headers(self) -> Mapping[str, str]:
        """Return the headers that observers add to requests that no poll sends."""
        added: dict[str, str] = {}
        adding: list[Any] = [each for each in self._observers if hasattr(each, "headers")]
        for observer in adding:
            try:
                added |= checked_headers(observer.headers())
            except Exception:  # noqa: BLE001 - whatever it raises concerns the observer alone
                self._remove(observer, "headers")
        return added

    def _remove(self, observer: Observer, during: str) -> None:
        """Remove an observer that has just raised an error; one that surrounds several calls may raise in each of them."""
        if not any(each is observer for each in self._observers):
            return
        self._observers = tuple(each for each in self._observers if each is not observer)
        self._sort()
        message = "an observer raised an error; it receives nothing any more: %s"
        log_safely(logger, ERROR, message, during, exc_info=True)

    def __call__(self, observation: Observation) -> None:
        """Pass *observation* to the log and to every observer that listens to its kind."""
        self._log(observation)
        for observer in self._listeners_of(observation):
            try:
                observer(observation)
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - whatever it raises concerns the observer alone
                self._remove(observer, type(observation).__name__)

    def _listeners_of(self, observation: Observation) -> tuple[Observer, ...]:
        """Return the observers that want *observation*."""
        if isinstance(observation, PollCompleted):
            is_quiet = not observation.events and observation.error is None
            return self._quiet_polls if is_quiet else self._polls
        if isinstance(observation, RequestSent) and observation.is_poll:
            return self._polled_requests
        return self._listeners[type(observation)]


def checked_headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """Return *headers*; raise ValueError for what no request can have."""
    found: dict[Any, Any] = dict(headers)
    for text in (*found, *found.values()):
        if not isinstance(text, str) or not text.isprintable():
            raise ValueError(f"a header is printable text, not {kind_of(text)}")
    return found


def as_observers(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    """Return *observers* as a tuple; raise `WrongType` for one alone."""
    if not isinstance(observers, Iterable):
        raise WrongType(f"observers are several: observers=[...], not {kind_of(observers)}")
    return tuple(observers)


def kinds_of(observer: Observer) -> frozenset[type[Observation]]:
    """Return the kinds that *observer* listens to."""
    kinds: frozenset[type[Observation]] | None = getattr(observer, "kinds", None)
    return OBSERVATIONS if kinds is None else frozenset(kinds)


def wants_polls(observer: Observer) -> bool:
    """Return True unless *observer* leaves out single polls."""
    return bool(getattr(observer, "polls", True))


def wants_quiet_polls(observer: Observer) -> bool:
    """Return True unless *observer* leaves out polls that gave no event, and the requests of polls."""
    return wants_polls(observer) and bool(getattr(observer, "quiet_polls", True))


def check(observer: Observer) -> None:
    """Raise `UsageError` for what cannot be an observer."""
    if not callable(observer):
        raise UsageError(f"an observer is callable with one observation: {type(observer).__name__} is not")
    try:
        unknown = kinds_of(observer) - OBSERVATIONS
    except TypeError:
        unknown = None
    if unknown is None or unknown:
        names = ", ".join(sorted(kind.__name__ for kind in OBSERVATIONS))
        raise UsageError(f"the kinds of an observer are classes among {names}")
