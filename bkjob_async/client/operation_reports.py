"""Report launches and operations to observers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from bkjob_async.errors import CallFailed, OutcomeUnknown
from bkjob_async.model.operations.base import OperateJobInstance, OperateStepInstance, Operation
from bkjob_async.model.operations.names import LAUNCHES
from bkjob_async.model.refs import Ref
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import OperationSent

OPERATIONS = frozenset({OperateStepInstance.name, OperateJobInstance.name})


async def reported(observe: ObserverDispatch, operation: Operation[Any], response: Awaitable[Any]) -> Any:
    """Await the *response* to *operation*; report the outcome of a launch or of an operation on a job."""
    is_launch = operation.name in LAUNCHES
    if not (is_launch or operation.name in OPERATIONS):
        return await response
    with observe.around(operation.name, ref_of(operation)):
        started = asyncio.get_running_loop().time()
        error: BaseException | None = None
        launched: Any = None
        try:
            launched = await response
        except (CallFailed, asyncio.CancelledError) as failure:
            error = failure
            raise
        finally:
            name = None if error is None else type(error).__name__
            if observe.counters is not None:
                counter = observe.counters.launches if is_launch else observe.counters.operations
                counter[name or "ok"] += 1
            if observe.listens(OperationSent):
                observe(
                    OperationSent(
                        client=observe.client,
                        operation=operation.name,
                        ref=ref_of(launched) or ref_of(operation),
                        outcome=outcome_of(error),
                        error=name,
                        is_launch=is_launch,
                        seconds=asyncio.get_running_loop().time() - started,
                    )
                )
            error = None  # its traceback holds this frame
        return launched


def outcome_of(error: BaseException | None) -> str:
    """Return the outcome of a command: a cancelled one may have been executed."""
    if error is None:
        return "accepted"
    return "unknown" if isinstance(error, OutcomeUnknown | asyncio.CancelledError) else "refused"


def ref_of(value: object) -> Ref | None:
    """Return the job or step that an operation or a launch names, None where it names none."""
    ref: Ref | None = getattr(value, "ref", None)
    return ref
