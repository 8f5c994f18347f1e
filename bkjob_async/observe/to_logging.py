"""Write observations to the logger `bkjob_async` and its children."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, assert_never

from bkjob_async.model.text.printing import all_targets
from bkjob_async.observe.observer import (
    BreakerChanged,
    Observation,
    OperationSent,
    PollCompleted,
    PollingFailed,
    PollingRecovered,
    RateLimitHit,
    RequestSent,
    WatchClosed,
    WatchOpened,
)

logger = logging.getLogger("bkjob_async")
polling_logger = logger.getChild("polling")
requests_logger = logger.getChild("requests")

# For so many seconds after a warning, troubles of single targets with the same kind of error are logged as
# INFO.
WARNING_INTERVAL = 60.0

LEVELS: Mapping[type[Observation], tuple[logging.Logger, int]] = {
    RequestSent: (requests_logger, logging.DEBUG),
    PollCompleted: (polling_logger, logging.DEBUG),
    PollingFailed: (polling_logger, logging.WARNING),
    PollingRecovered: (polling_logger, logging.INFO),
    RateLimitHit: (requests_logger, logging.DEBUG),
    BreakerChanged: (polling_logger, logging.DEBUG),
    OperationSent: (requests_logger, logging.DEBUG),
    WatchOpened: (polling_logger, logging.DEBUG),
    WatchClosed: (polling_logger, logging.DEBUG),
}


class Log:
    """Logs failures as WARNING, recoveries as INFO, and single polls and requests as DEBUG.

    A trouble is one WARNING: when many targets fail with the same kind of error within a minute, or one fails
    again and again, the first is a WARNING, the others are INFO.
    """

    def __init__(self) -> None:
        self._warned_at: dict[str, float] = {}

    def __call__(self, observation: Observation) -> None:
        """Log *observation*; `extra` has `client`, `ref`, `operation` and `request_id`."""
        its_logger, level = LEVELS[type(observation)]
        if not its_logger.isEnabledFor(level):
            return
        message, *values = self._text(observation)
        if isinstance(observation, PollingFailed) and not self._is_new_trouble(observation):
            level = logging.INFO
        log_safely(its_logger, level, message, *values, extra=extra_of(observation))

    def _text(self, observation: Observation) -> tuple[Any, ...]:
        """Return the message and its values."""
        match observation:
            case PollingFailed(ref=ref, message=message, targets=targets):
                return "%s: %s", ref or all_targets(targets), message
            case PollingRecovered(ref=ref, targets=targets):
                return "%s: polling works again", ref or all_targets(targets)
            case RateLimitHit(operation=operation, refused=refused, pause=pause):
                cause = "refused it" if refused else "lets no more through"
                return "%s: the gateway %s; nothing is sent for %.1f s", operation, cause, pause
            case (
                RequestSent()
                | PollCompleted()
                | BreakerChanged()
                | OperationSent()
                | WatchOpened()
                | WatchClosed()
            ):
                return "%s", observation
            case _:
                assert_never(observation)

    def _is_new_trouble(self, failed: PollingFailed) -> bool:
        """Return True when a failure is worth a WARNING: it concerns all targets, or is the first of its kind for long."""
        now = asyncio.get_running_loop().time()
        warned_at = self._warned_at.get(failed.error)
        if failed.ref is not None and warned_at is not None and now - warned_at < WARNING_INTERVAL:
            return False
        self._warned_at[failed.error] = now
        return True


def log_safely(its_logger: logging.Logger, level: int, message: str, *values: object, **more: Any) -> None:
    """Log, and write what a handler raises to stderr, as `logging` does for handlers of its own."""
    try:
        its_logger.log(level, message, *values, **more)
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - whatever it raises concerns the handler alone
        if logging.raiseExceptions and sys.stderr:
            with suppress(OSError, ValueError):  # a stderr that is closed
                traceback.print_exc()


def extra_of(observation: Observation) -> dict[str, str | None]:
    """Return what formatters find in a log record beside its message; text, None where there is none."""
    ref = getattr(observation, "ref", None)
    return {
        "client": observation.client,
        "ref": None if ref is None else str(ref),
        "operation": getattr(observation, "operation", None),
        "request_id": getattr(observation, "request_id", None) or None,
    }
