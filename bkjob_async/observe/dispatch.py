"""Pass observations to observers, so that one which raises does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bkjob_async.observe.observer import Observation, Observer
from bkjob_async.observe.to_logging import log, logger, logs_polls


class ObserverDispatch:
    """Passes each observation to all observers.

    An observer that raises is logged once, with its error, and is called again for later observations.
    """

    def __init__(self, observers: Iterable[Observer]) -> None:
        """Pass observations to *observers*, in their order."""
        self._observers = tuple(observers)
        self._log_only = self._observers == (log,)
        self._reported: set[int] = set()

    @property
    def wants_polls(self) -> bool:
        """Whether single polls are observed; the log alone does so at DEBUG only."""
        return not self._log_only or logs_polls()

    def __call__(self, observation: Observation) -> None:
        """Pass *observation* to every observer."""
        for number, observer in enumerate(self._observers):
            try:
                observer(observation)
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - whatever it raises concerns the observer alone
                if number not in self._reported:
                    self._reported.add(number)
                    logger.exception("an observer raised; this is logged once, and it is called again")
