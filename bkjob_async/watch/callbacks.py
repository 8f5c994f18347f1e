"""Where the platform's callbacks arrive: each is a reason to look, none is believed.

Callbacks are unsigned and may be lost, doubled or made up, so a ring changes when a watch looks and nothing else.
Facts: `callback_protocol`; success is HTTP 200 and no other status, anything else is sent once more, as a form.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self
from weakref import WeakKeyDictionary

from bkjob_async.dialects.decode import decode_callback
from bkjob_async.errors import InvalidResponse, UsageError
from bkjob_async.model.operations.responses import Callback
from bkjob_async.watch.nudges import Nudges
from bkjob_async.watch.watch import Watch

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST_BODY = 64 * 1024
# Seconds that a body may take to arrive.
LONGEST_READ = 10.0
SHORTEST_TOKEN = 16
LONGEST_QUEUE = 1000
OK, BAD, NOT_HERE, NO_METHOD, TOO_SLOW, TOO_LARGE = 200, 400, 404, 405, 408, 413

logger = logging.getLogger("bkjob_async")


class CallbackReceiver:
    """Receives callbacks below a path that ends in a secret *token*; an ASGI application.

    Each goes to *ring*, a plain callable, to every watch that was opened with this doorbell, and to whoever iterates:
    `async for callback in doorbell`. The newest thousand wait for an iterator. `bkjob_async.watch.callbacks_aiohttp`
    puts it into an aiohttp application.

    Callbacks make a watch look at a target once a second at most. A body has *largest_body* bytes at most and ten
    seconds to arrive; whatever is not for the token is refused unread.
    """

    def __init__(
        self,
        token: str | None = None,
        ring: Callable[[Callback], object] | None = None,
        *,
        base: str | None = None,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        """Listen for *token*, one made up unless given; raise `UsageError` for one that can be guessed.

        *base* is the URL where this is reached from the platform, without the token.
        """
        self._token = secrets.token_urlsafe(32) if token is None else token
        if len(self._token) < SHORTEST_TOKEN or not self._token.isascii() or "/" in self._token:
            raise UsageError(f"a token has at least {SHORTEST_TOKEN} ASCII characters, and no slash")
        self.base = base
        self.largest_body = largest_body
        self._ring = ring
        self._watches: WeakKeyDictionary[Watch, Nudges] = WeakKeyDictionary()
        self._rung: deque[Callback] = deque(maxlen=LONGEST_QUEUE)
        self._waiting: deque[asyncio.Future[None]] = deque()

    def url(self, base: str | None = None) -> str:
        """Return what to give as `callback_url`; *base*, its own unless given, is where the platform reaches this."""
        base = self.base if base is None else base
        if not base:
            raise UsageError("a doorbell has to know where it is reached: CallbackReceiver(base=...)")
        return f"{base.rstrip('/')}/{self._token}"

    def wire(self, watch: Watch) -> None:
        """Let each ring make *watch* look once at the job that it names."""
        self._watches.setdefault(watch, Nudges())
        watch.has_doorbell = True

    # What arrives ---------------------------------------------------------------------------------------------------

    def is_for(self, path: str) -> bool:
        """Tell, in constant time, whether *path* ends in the token."""
        last = path.rstrip("/").rpartition("/")[2]
        return secrets.compare_digest(last.encode(errors="replace"), self._token.encode())

    def receive(self, body: bytes, content_type: str = "application/json") -> int:
        """Take in one callback; return the HTTP status to answer with: 200 for all that can be read."""
        if len(body) > self.largest_body:
            return TOO_LARGE
        try:
            callback = decode_callback(body, content_type)
        except InvalidResponse:
            return BAD
        self._hand_on(callback)
        return OK

    def _hand_on(self, callback: Callback) -> None:
        for watch, nudges in tuple(self._watches.items()):
            for ref in watch.targets_of(callback.job_instance_id):
                nudges.nudge(watch, ref)
        self._rung.append(callback)
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        if self._ring is not None:
            try:
                self._ring(callback)
            except Exception:
                # Any other answer than 200 would only make the platform say the same again.
                logger.exception("the doorbell's callable failed")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Callback:
        while not self._rung:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        return self._rung.popleft()

    # ASGI -----------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one ASGI connection: HTTP, or the server's own lifespan."""
        if scope["type"] == "lifespan":
            await live(receive, send)
            return
        if scope["type"] != "http":
            raise UsageError("a doorbell speaks HTTP only")
        status = await self._status_of(scope, receive)
        if status is not None:
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    async def _status_of(self, scope: MutableMapping[str, Any], receive: Receive) -> int | None:
        """Return the status to answer with, None when nobody waits for it any more."""
        if not self.is_for(str(scope.get("path", ""))):
            return NOT_HERE
        if scope["method"] != "POST":
            return NO_METHOD
        named = {name.lower(): value for name, value in scope.get("headers", ())}
        length: bytes = named.get(b"content-length", b"")
        if length.isdigit() and int(length[:12]) > self.largest_body:
            return TOO_LARGE
        try:
            async with asyncio.timeout(LONGEST_READ):
                body = await self._body_from(receive)
        except TimeoutError:
            return TOO_SLOW
        if body is None:
            return None
        return self.receive(body, named.get(b"content-type", b"").decode("latin-1"))

    async def _body_from(self, receive: Receive) -> bytes | None:
        """Return a body, or so much of one that it is certainly too large; None when nobody waits any more."""
        body, more = bytearray(), True
        while more and len(body) <= self.largest_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)


async def live(receive: Receive, send: Send) -> None:
    """Say yes to the server's start and stop; there is nothing to prepare."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
