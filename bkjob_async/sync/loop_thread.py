"""An open client in an event loop of its own, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from bkjob_async.client.client import JobClient
from bkjob_async.errors import ClientClosed, ErrorDetails, TransportFailed, WrongEventLoop
from bkjob_async.sync.handed_call import HandedCall
from bkjob_async.watch.watch import Watch

P = ParamSpec("P")
T = TypeVar("T")

# Seconds that a thread which was interrupted waits for its call to be cancelled, and a program's end for a client.
CANCEL_TIMEOUT = EXIT_TIMEOUT = 1.0

# Held while a loop is started or stopped. A process is not forked meanwhile, else the child would find it locked for ever.
STARTING = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=STARTING.acquire, after_in_parent=STARTING.release, after_in_child=STARTING.release
    )


class LoopThread:
    """Runs coroutines of a client for threads without an event loop.

    The loop is started, and the client opened, by the first call. Any thread may call, and several at once. A call that is
    interrupted by an exception of its own thread (`KeyboardInterrupt`, a time limit set by a signal) is cancelled in the
    loop, and the exception goes on with the notes of the cancelled call.
    """

    def __init__(self, client: JobClient) -> None:
        """Prepare to run *client*; it must not be open."""
        self._client = client
        self._loop: RunningLoop | None = None
        self._is_closed = False
        # Those that were opened and not closed: the loop closes them at its end, for afterwards nobody can.
        self._watches: set[Watch] = set()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run *coroutine* in the loop; return its result or raise its error.

        Raises `ClientClosed` after the end, `WrongEventLoop` in a child process that was forked after the first call
        and in the loop itself, and `TransportFailed` where the system cannot start the loop; the next call tries again.
        """
        try:
            loop = self._opened()
        except BaseException:
            coroutine.close()
            raise
        return loop.run(coroutine)

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a plain *function* returns in the loop, or here where the loop has ended."""
        if self._is_closed:
            return function(*args, **kwargs)

        async def called() -> T:
            return function(*args, **kwargs)

        return self.run(called())

    def open(self) -> None:
        """Start the loop and open the client, unless that was done."""
        self._opened()

    def close(self) -> None:
        """Close the client and end the loop; harmless when repeated, and in a forked child."""
        with STARTING:
            self._is_closed = True
        if self._loop is not None:
            self._loop.stop()

    def open_watch(self, watch: Watch) -> None:
        """Open *watch* in the loop, which closes it at its end unless that was done before."""

        async def opened() -> None:
            await watch.__aenter__()
            self._watches.add(watch)

        self.run(opened())

    def close_watch(self, watch: Watch) -> None:
        """Close *watch*; harmless where the loop has ended, and in a forked child."""
        if self._is_closed or (self._loop is not None and self._loop.is_elsewhere):
            return
        self.run(watch.aclose())
        self._watches.discard(watch)

    def _opened(self) -> RunningLoop:
        """Return the running loop, started now if this is the first call."""
        loop = self._loop
        if loop is None or self._is_closed:
            with STARTING:
                if self._is_closed:
                    raise ClientClosed("the client is closed; make another with connect()")
                loop = self._loop
                if loop is None:
                    loop = RunningLoop(self._client, self._watches)
                    # A client that nobody closed ends with the program, or when nobody holds it any more.
                    self._abandon = weakref.finalize(self, loop.abandon)
                    self._loop = loop
        loop.check()
        if not loop.has_opened:
            with STARTING:
                try:
                    loop.begin()
                finally:
                    if loop.has_failed and loop is self._loop:
                        self._abandon.detach()
                        self._loop = None  # the next call starts another
        return loop


class RunningLoop:
    """A thread whose event loop has a client open until it is stopped, and then closes the *watches* that are open."""

    def __init__(self, client: JobClient, watches: set[Watch]) -> None:
        """Prepare to run *client*; `begin` starts the thread."""
        self._pid = os.getpid()
        self._calls: set[HandedCall[Any]] = set()
        self._is_stopping = False
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._client = client
        self._watches = watches
        self._begun = threading.Event()
        # Taken by the thread that serves: one whose start was interrupted may have begun or not, so another is started.
        self._claim = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def has_opened(self) -> bool:
        """Whether the client is open, or was."""
        return self._loop is not None

    @property
    def has_failed(self) -> bool:
        """Whether the client could not be opened; it never will be here."""
        return self._loop is None and self._error is not None

    def begin(self) -> None:
        """Start the thread and return when the client is open; an interrupted start is gone on with.

        Raises the error of opening the client, and `TransportFailed` where the system cannot start the loop.
        """
        if not self._begun.is_set():
            threading.Thread(target=self._serve, name="bkjob_async loop", daemon=True).start()
            self._begun.wait()
        error = self._error
        if self._loop is None and error is not None:
            if not isinstance(error, OSError):
                raise error
            message = f"the client's event loop cannot be started: {error}"
            raise TransportFailed(ErrorDetails(message=message, sent=False)) from error

    @property
    def is_elsewhere(self) -> bool:
        """Whether this process was forked from that of the thread."""
        return os.getpid() != self._pid

    def check(self) -> None:
        """Raise `WrongEventLoop` in a forked child, and in the loop itself, which would wait for itself."""
        if self.is_elsewhere:
            raise WrongEventLoop(
                "the process was forked after the client was used; connect() anew in the child"
            )
        if threading.current_thread() is self._thread:
            raise WrongEventLoop(
                "a client of bkjob_async.sync is not used in its own event loop, as by observers and providers of it;"
                " there, use the client of bkjob_async"
            )

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run *coroutine* in the loop, and wait."""
        call = HandedCall(coroutine)
        self._calls.add(call)
        try:
            self._start(call)
            call.wait()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again
            self._interrupt(call, error)
            # The waiting is of no interest to whoever reads the traceback.
            raise error.with_traceback(None) from None
        finally:
            self._calls.discard(call)
        return call.result()

    def _start(self, call: HandedCall[Any]) -> None:
        """Have the loop start *call*; fail it where the loop starts nothing any more."""
        loop = self._loop
        if loop is not None and not self._is_stopping:
            try:
                loop.call_soon_threadsafe(call.start)
            except RuntimeError:  # it was closed in this moment
                pass
            else:
                return
        if self._thread is not None:
            self._thread.join()  # it may be ending this call itself
        call.fail(ClientClosed("the client is closed; make another with connect()"))

    def _interrupt(self, call: HandedCall[Any], error: BaseException) -> None:
        """Cancel *call*, whose thread was interrupted by *error*; give the error the notes of the call."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it was closed: the call has ended, or is ended now
                self._loop.call_soon_threadsafe(call.cancel)
            call.wait(CANCEL_TIMEOUT)
        for note in call.notes:
            error.add_note(note)

    # The end --------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Close the client, end the loop and wait for it; raise the error of closing the client."""
        if self.is_elsewhere:
            return
        if self._claim.acquire(blocking=False):
            self._is_stopping = True  # no thread has begun, and none will
            self._begun.set()
            return
        self._begun.wait()
        self._request_stop()
        if self._thread is not None and threading.current_thread() is not self._thread:
            self._thread.join()
            self._raise_error()

    def abandon(self) -> None:
        """End a loop that was not closed; at the end of the program wait for it a moment."""
        if self.is_elsewhere or self._claim.acquire(blocking=False):
            return
        self._begun.wait(EXIT_TIMEOUT)
        if self._thread is None or not self._thread.is_alive():
            return
        self._request_stop()
        if not threading.main_thread().is_alive():
            self._thread.join(EXIT_TIMEOUT)

    def _request_stop(self) -> None:
        if self._loop is not None and self._stopped is not None:
            with suppress(RuntimeError):  # it is closed
                self._loop.call_soon_threadsafe(self._stopped.set)

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    # In the thread --------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Run the loop; at its end, fail the calls that it did not run to their ends."""
        if not self._claim.acquire(blocking=False):
            return
        self._thread = threading.current_thread()
        try:
            with asyncio.Runner() as runner:
                runner.run(self._keep_open(self._client, self._begun))
        except BaseException as error:  # noqa: BLE001 - the thread that opens or closes raises it
            self._error = error
        self._is_stopping = True
        for call in tuple(self._calls):
            call.fail(ClientClosed("the client was closed during the call; make another with connect()"))
        self._begun.set()

    async def _keep_open(self, client: JobClient, begun: threading.Event) -> None:
        self._stopped = asyncio.Event()
        try:
            async with client:
                self._loop = asyncio.get_running_loop()
                begun.set()
                await self._stopped.wait()
        finally:  # behind the client, so that readers raise that it was closed
            closing = [watch.aclose() for watch in tuple(self._watches)]
            for error in await asyncio.gather(
                *closing, return_exceptions=True
            ):  # all are closed, whatever one raises
                if error is not None:
                    raise error
