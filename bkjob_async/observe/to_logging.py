"""Write observations to the logger `bkjob_async`."""

import logging
from typing import assert_never

from bkjob_async.observe.observer import Observation, PollCompleted, PollingFailed, PollingRecovered

logger = logging.getLogger("bkjob_async")
logger.addHandler(logging.NullHandler())


def logs_polls() -> bool:
    """Return True when single polls are logged."""
    return logger.isEnabledFor(logging.DEBUG)


def log(observation: Observation) -> None:
    """Log failures as WARNING, recoveries as INFO and polls as DEBUG."""
    match observation:
        case PollingFailed(ref=ref, message=message, targets=targets):
            logger.warning("%s: %s", ref or f"all {targets} targets", message)
        case PollingRecovered(ref=ref, targets=targets):
            logger.info("%s: polling works again", ref or f"all {targets} targets")
        case PollCompleted():
            logger.debug("%s", observation)
        case _:
            assert_never(observation)
