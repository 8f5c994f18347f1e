"""What observers are told about the library's own doings."""

from typing import Protocol

from attrs import frozen

from bkjob_async.model.refs import Ref


@frozen(kw_only=True)
class PollCompleted:
    """One poll came back: after *seconds*, with *events* of news, or with the class of an *error*.

    *ref* is what was asked about, None where a list stood for many.
    """

    ref: Ref | None
    question: str
    seconds: float
    events: int = 0
    error: str | None = None


@frozen(kw_only=True)
class PollingFailed:
    """Polling a target, or everything (*ref* None), began to fail."""

    ref: Ref | None
    message: str
    targets: int = 1


@frozen(kw_only=True)
class PollingRecovered:
    """Polling works again."""

    ref: Ref | None
    targets: int = 1


Observation = PollCompleted | PollingFailed | PollingRecovered


class Observer(Protocol):
    """Whoever wants to know; called inside the event loop, so it must be quick.

    One that raises is logged once, with its error, and is called again; polling goes on.
    """

    def __call__(self, observation: Observation) -> None:
        """Take notice of *observation*."""
        ...
