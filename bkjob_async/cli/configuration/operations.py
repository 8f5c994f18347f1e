"""The operations of steps and jobs, by the words of the command line."""

from __future__ import annotations

from bkjob_async.model.operations.base import StepOperation
from bkjob_async.model.operations.codes import JobOperation


def word_of(operation: StepOperation | JobOperation) -> str:
    """Return the word for an operation: `confirm-continue`."""
    return operation.name.lower().replace("_", "-")


OPERATIONS: dict[str, StepOperation | JobOperation] = {
    word_of(operation): operation for operation in (*StepOperation, *JobOperation)
}
