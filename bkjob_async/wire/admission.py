"""Where requests wait for their turn, before the connection pool."""

from __future__ import annotations

import asyncio
from collections import deque

from bkjob_async.engine.limit import Limit
from bkjob_async.errors import ClientClosed


class Admission:
    """A queue in front of a `Limit`: first come, first served, urgent requests first.

    Time spent here does not count towards a request's own time limit.
    """

    def __init__(self, limit: Limit) -> None:
        """Guard *limit*; it belongs to this admission alone."""
        self.limit = limit
        self._queues: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(queue) for queue in self._queues)

    async def enter(self, *, urgent: bool = False) -> None:
        """Wait until a request may go out; each `enter` needs one `leave`. Raise `ClientClosed` after `close`."""
        if self._closed:
            raise closed()
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not any(self._queues) and self.limit.wait(now) == 0:
            self.limit.take(now)
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._queues[0 if urgent else 1].append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # its turn came in the same breath as the cancellation
            raise

    def leave(self) -> None:
        """Give the place of a request that came back to the next."""
        self.limit.give_back()
        if any(self._queues):
            self._let_in()

    def pause(self, seconds: float) -> None:
        """Let nothing out for *seconds*."""
        self.limit.pause(asyncio.get_running_loop().time() + seconds)

    def _let_in(self) -> None:
        loop = asyncio.get_running_loop()
        while (turn := self._next_turn()) is not None:
            wait = self.limit.wait(loop.time())
            if wait is None:
                return  # the next one to leave lets it in
            if wait > 0:
                if self._timer is None:
                    self._timer = loop.call_later(wait, self._on_timer)
                return
            self._queues[0 if turn in self._queues[0] else 1].popleft()
            self.limit.take(loop.time())
            turn.set_result(None)

    def _next_turn(self) -> asyncio.Future[None] | None:
        for queue in self._queues:
            while queue and queue[0].done():
                queue.popleft()  # cancelled while it waited
            if queue:
                return queue[0]
        return None

    def _on_timer(self) -> None:
        self._timer = None
        self._let_in()

    def close(self) -> None:
        """Let nobody in any more; whoever waits is told."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for queue in self._queues:
            for turn in queue:
                if not turn.done():
                    turn.set_exception(closed())
            queue.clear()


def closed() -> ClientClosed:
    """Return what somebody hears who waits for a turn that never comes."""
    return ClientClosed("the client was closed before this request went out")
