"""Turn the error of one attempt into the error that the caller of an operation gets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from bkjob_async.dialects.common.redaction import redact_details, secrets_in
from bkjob_async.engine.flow_control.retry import was_not_executed
from bkjob_async.errors import (
    CallFailed,
    InvalidResponse,
    NotAuthenticated,
    OutcomeUnknown,
    PlatformTrouble,
    TransportFailed,
)
from bkjob_async.model.operations.base import Operation

# The ESB's code for any error, a refused application among them: it does not prove that nothing happened.
ESB_GENERIC_CODE = 1306000


def complete_error(
    error: CallFailed, operation: Operation[Any], dialect: str, *, attempts: int, secrets: Iterable[str]
) -> CallFailed:
    """Return *error* of the right class, with all its details, and without *secrets* or those in *operation*."""
    details = replace(error.details, operation=operation.name, dialect=dialect, attempts=attempts)
    return error_class(error, operation)(redact_details(details, (*secrets, *secrets_in(operation))))


def error_class(error: CallFailed, operation: Operation[Any]) -> type[CallFailed]:
    """Return the class that *error* has for the caller of *operation*.

    When a command was sent and no clear response came back, nobody knows whether it was executed.
    """
    unclear = isinstance(error, TransportFailed | PlatformTrouble | InvalidResponse)
    if not operation.repeatable and unclear and not was_not_executed(error):
        return OutcomeUnknown
    return type(error)


def may_send_again(error: CallFailed, operation: Operation[Any]) -> bool:
    """Return whether wrong credentials are all that failed, so that certainly nothing was executed."""
    if not isinstance(error, NotAuthenticated) or not error.details.sent:
        return False
    return operation.repeatable or error.code != ESB_GENERIC_CODE
