"""One coroutine that a thread has handed over to an event loop, and waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from bkjob_async.errors import ClientClosed

T = TypeVar("T")


class HandedCall(Generic[T]):
    """A coroutine that runs in an event loop while a thread waits for its result.

    It costs less than `asyncio.run_coroutine_threadsafe`: one lock in place of two futures that are chained.
    """

    __slots__ = (
        "_coroutine",
        "_done",
        "_error",
        "_has_begun",
        "_is_cancelled",
        "_is_over",
        "_result",
        "_task",
    )

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        """Prepare to run *coroutine*."""
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None
        self._result: T | None = None
        self._error: BaseException | None = None
        self._has_begun = self._is_cancelled = self._is_over = False
        self._done = threading.Lock()
        self._done.acquire()

    # In the loop ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run the coroutine as a task of the running loop."""
        if not self._is_over:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="bkjob_async call")

    def cancel(self) -> None:
        """Cancel the coroutine; one that has not begun never begins."""
        self._is_cancelled = True
        if self._task is not None:
            self._task.cancel()
        if not self._has_begun:
            self.fail(asyncio.CancelledError())

    async def _run(self) -> None:
        self._has_begun = True
        try:
            self._result = await self._coroutine
        except asyncio.CancelledError as error:
            # Nobody but the thread cancels the task, and the end of the loop.
            closed = ClientClosed("the client was closed during the call; make another with connect()")
            self._error = error if self._is_cancelled else closed
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread that waits raises it
            self._error = error
        self._finish()

    def fail(self, error: BaseException) -> None:
        """End a call that the loop has not run to its end."""
        # One that awaits at its end cannot be closed; its thread does not wait for ever.
        with suppress(BaseException):
            self._coroutine.close()
        if not self._is_over:
            self._error = error
            self._finish()

    def _finish(self) -> None:
        self._is_over = True
        self._done.release()

    # In the thread --------------------------------------------------------------------------------------------------

    def wait(self, seconds: float = -1) -> bool:
        """Wait until the coroutine has ended, for so many *seconds* or without a limit; return False if it has not."""
        return self._is_over or self._done.acquire(timeout=seconds)

    @property
    def notes(self) -> list[str]:
        """The notes of the error that the coroutine has ended with."""
        if self._is_over and self._error is None and (ref := getattr(self._result, "ref", None)) is not None:
            return [f"the call had returned already, with {ref}"]
        return list(getattr(self._error, "__notes__", ()))

    def result(self) -> T:
        """Return the result of a coroutine that has ended, or raise its error."""
        error, self._error = self._error, None
        if error is None:
            return cast("T", self._result)
        try:
            raise error
        finally:
            del error  # its traceback holds this frame
