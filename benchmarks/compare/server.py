"""A server in another process that returns prepared responses and counts requests and connections."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import cycle
from typing import cast
from urllib.request import urlopen

from benchmarks.compare.bodies import poll_bodies

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: gateway\r\n"
    b"X-Bkapi-Request-Id: 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\r\n%sContent-Length: %d\r\n\r\n"
)


class ServerCounts:
    """How many connections and requests the server has seen, and each target's next responses."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.responses: dict[bytes, Iterator[bytes]] = {}


@cache
def prepared(hosts: int, *, compressed: bool) -> tuple[bytes, ...]:
    """Return whole HTTP responses about a step, in the order in which one target gets them."""
    bodies = [gzip.compress(body, 6) if compressed else body for body in poll_bodies(hosts)]
    encoding = b"Content-Encoding: gzip\r\n" if compressed else b""
    return tuple(HEAD % (encoding, len(body)) + body for body in bodies)


class ServerConnection(asyncio.Protocol):
    """One connection: `/plain/<hosts>/…` is sent as it is, `/gzip/<hosts>/…` compressed if the client accepts that."""

    def __init__(self, counts: ServerCounts) -> None:
        self._counts = counts
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._counts.connections += 1

    def data_received(self, data: bytes) -> None:
        """Respond to every complete request."""
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        if self._transport is not None:
            for request in requests:
                self._transport.write(self._respond(request))

    def _respond(self, request: bytes) -> bytes:
        line, _, headers = request.partition(b"\r\n")
        responses = self._counts.responses.get(line)
        if responses is None:
            path = line.split(b" ")[1].split(b"/")
            if path[1] == b"counts":
                return self._counts_response()
            compressed = path[1] == b"gzip" and b"gzip" in headers
            responses = self._counts.responses[line] = cycle(prepared(int(path[2]), compressed=compressed))
        self._counts.requests += 1
        return next(responses)

    def _counts_response(self) -> bytes:
        counts = self._counts
        body = json.dumps({"connections": counts.connections, "requests": counts.requests}).encode()
        counts.connections = counts.requests = 0
        return HEAD % (b"", len(body)) + body


async def serve() -> None:
    """Serve until stdin ends; print the port on stdout."""
    counts = ServerCounts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerConnection(counts), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Run the server, on uvloop where that is installed."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - the server is as quick as it can be, and works without

        uvloop.run(serve())
        return
    asyncio.run(serve())


@contextmanager
def running_server() -> Iterator[str]:
    """Run the server in another process; yield its URL."""
    command = [sys.executable, "-c", "from benchmarks.compare.server import main; main()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def read_counts(server: str) -> dict[str, int]:
    """Return the numbers of connections and requests since the last call, and reset them."""
    with urlopen(f"{server}/counts") as response:  # noqa: S310 - a server of our own
        counts: dict[str, int] = json.load(response)
    counts["connections"] -= 1  # this one
    return counts
