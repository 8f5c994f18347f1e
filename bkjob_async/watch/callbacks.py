"""Receive the platform's job callbacks over ASGI and nudge the watches that wait for them.

Callbacks are unsigned. They may be lost, repeated or forged, so a callback only changes when a watch polls; what it
says about the job is never used. Facts: `callback_protocol`. The platform counts HTTP 200 alone as success and sends
the callback once more, form-encoded, after any other status.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Self
from weakref import ref

from bkjob_async.dialects.decode import decode_callback
from bkjob_async.errors import InvalidResponse, UsageError
from bkjob_async.journal.event_loops import call_in, wake
from bkjob_async.model.operations.responses import Callback
from bkjob_async.watch.watch import Watch
from bkjob_async.wire.base_url import readable_url

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_SIZE = 64 * 1024
# Seconds within which a whole body must arrive.
READ_TIMEOUT = 10.0
MIN_TOKEN_LENGTH = 16
# What a path can contain as it is.
TOKEN = re.compile(rf"[A-Za-z0-9._~-]{{{MIN_TOKEN_LENGTH},}}")
MAX_QUEUED = 1000
OK, BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED = 200, 400, 404, 405
REQUEST_TIMEOUT, CONTENT_TOO_LARGE = 408, 413

logger = logging.getLogger("bkjob_async")


def check_base(base: str) -> str:
    """Return *base*; raise `UsageError` unless a path can be added to it that the platform reaches."""
    url = readable_url(base)
    if url is None or url.scheme not in ("http", "https") or not url.host or url.query_string or url.fragment:
        raise UsageError(
            "the base of callbacks must be absolute: http:// or https://, with a host and without a query"
        )
    return base


class CallbackReceiver:
    """An ASGI application that receives callbacks at a path ending in a secret *token*.

    Each callback nudges every open watch that was made with this receiver, is passed to *on_callback*, a plain function,
    and can be read with `async for callback in receiver`. Up to a thousand callbacks are queued for iteration; the
    oldest are dropped. `bkjob_async.watch.callbacks_aiohttp` adds a receiver to an aiohttp application.

    Callbacks may come in any thread and event loop, with a client of `bkjob_async.sync` in that of a web server. Watches are
    nudged, and iterators go on, in their own event loops; *on_callback* is called where the callback comes.

    Callbacks make a watch poll a target once a second at most. A body is limited to *largest_body* bytes and must arrive
    within ten seconds. A request without the token is refused before its body is read.
    """

    def __init__(
        self,
        token: str | None = None,
        on_callback: Callable[[Callback], object] | None = None,
        *,
        base: str | None = None,
        largest_body: int = MAX_BODY_SIZE,
    ) -> None:
        """Accept callbacks for *token*; a random one is made by default.

        *base* is the URL at which the platform reaches this application, without the token.
        Raises `UsageError` for a token that is too short or not fit for a path, and for a base that is no such URL.
        """
        self._token = secrets.token_urlsafe(32) if token is None else token
        if TOKEN.fullmatch(self._token) is None:
            raise UsageError(
                f"a token has at least {MIN_TOKEN_LENGTH} of the characters A-Z, a-z, 0-9 and -._~"
            )
        self.base = None if base is None else check_base(base)
        self.largest_body = largest_body
        self._on_callback = on_callback
        # Threads share these: each is read or changed in a single call, which a `WeakKeyDictionary` is not.
        self._watches: dict[ref[Watch], asyncio.AbstractEventLoop] = {}
        self._queue: deque[Callback] = deque(maxlen=MAX_QUEUED)
        self._waiters: deque[asyncio.Future[None]] = deque()

    def url(self, base: str | None = None) -> str:
        """Return the URL to launch with as `callback_url`; *base* replaces the receiver's own."""
        base = self.base if base is None else base
        if not base:
            raise UsageError(
                "a callback receiver needs the URL at which the platform reaches it: CallbackReceiver(base=...)"
            )
        return f"{check_base(base).rstrip('/')}/{self._token}"

    def attach(self, watch: Watch) -> None:
        """Nudge *watch* for each callback that names one of its jobs; call it in the watch's event loop."""
        self._watches[ref(watch, self._detach)] = asyncio.get_running_loop()
        watch.expects_callbacks = True

    def _detach(self, watch: ref[Watch]) -> None:
        """Forget a watch that nobody refers to any more."""
        self._watches.pop(watch, None)

    # Receiving ------------------------------------------------------------------------------------------------------

    def is_for(self, path: str) -> bool:
        """Return True when *path* ends in the token; takes constant time."""
        last = path.rstrip("/").rpartition("/")[2]
        return secrets.compare_digest(last.encode(errors="replace"), self._token.encode())

    def receive(self, body: bytes, content_type: str = "application/json") -> int:
        """Accept one callback; return the HTTP status of the response, 200 for all that can be decoded."""
        if len(body) > self.largest_body:
            return CONTENT_TOO_LARGE
        try:
            callback = decode_callback(body, content_type)
        except InvalidResponse:
            return BAD_REQUEST
        self._deliver(callback)
        return OK

    def _deliver(self, callback: Callback) -> None:
        """Queue the callback, wake one iterator, call the function and nudge the watches."""
        self._queue.append(callback)
        self._wake_iterator()
        if self._on_callback is not None:
            try:
                self._on_callback(callback)
            except Exception:
                # With any status but 200 the platform would only send the same callback again.
                logger.exception("the function for callbacks raised")
        for each, loop in self._watches.copy().items():
            watch = each()
            if watch is not None:
                call_in(loop, nudge_targets, watch, callback.job_instance_id)

    def _wake_iterator(self) -> None:
        """Wake the one that has waited longest, of those whose event loop is not closed."""
        while True:
            try:
                waiter = self._waiters.popleft()
            except IndexError:
                return
            if not waiter.done() and wake(waiter):
                return

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Callback:
        while True:
            with suppress(IndexError):
                return self._queue.popleft()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            if self._queue:  # it came in another thread, and found nobody who waits
                self._wake_iterator()
            try:
                await waiter
            except asyncio.CancelledError:
                try:
                    self._waiters.remove(waiter)
                except ValueError:  # it was woken
                    if self._queue:
                        self._wake_iterator()
                raise

    # ASGI -----------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one ASGI connection: an HTTP request, or the server's lifespan."""
        if scope["type"] == "lifespan":
            await handle_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise UsageError("a callback receiver accepts HTTP only")
        status = await self._handle(scope, receive)
        if status is not None:
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    async def _handle(self, scope: MutableMapping[str, Any], receive: Receive) -> int | None:
        """Return the status of the response, None when the peer has disconnected."""
        if not self.is_for(str(scope.get("path", ""))):
            return NOT_FOUND
        if scope["method"] != "POST":
            return METHOD_NOT_ALLOWED
        headers = {name.lower(): value for name, value in scope.get("headers", ())}
        length: bytes = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:12]) > self.largest_body:
            return CONTENT_TOO_LARGE
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                body = await self._read_body(receive)
        except TimeoutError:
            return REQUEST_TIMEOUT
        if body is None:
            return None
        return self.receive(body, headers.get(b"content-type", b"").decode("latin-1"))

    async def _read_body(self, receive: Receive) -> bytes | None:
        """Return the body, cut off once it is too large; None when the peer has disconnected."""
        body, more = bytearray(), True
        while more and len(body) <= self.largest_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)


def nudge_targets(watch: Watch, job_instance_id: int) -> None:
    """Nudge what *watch*, if it is open, follows of the job with this id."""
    if watch.is_open:
        for target in watch.targets_of(job_instance_id):
            watch.nudge(target)


async def handle_lifespan(receive: Receive, send: Send) -> None:
    """Confirm the server's startup and shutdown; neither needs any preparation."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
