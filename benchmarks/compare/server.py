"""A server in another process that gives prepared answers, and counts what is asked of it."""

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

from benchmarks.compare.bodies import turns

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: gateway\r\n"
    b"X-Bkapi-Request-Id: 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\r\n%sContent-Length: %d\r\n\r\n"
)


class Figures:
    """What the server has counted."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.answers: dict[bytes, Iterator[bytes]] = {}


@cache
def prepared(hosts: int, *, packed: bool) -> tuple[bytes, ...]:
    """Return whole HTTP answers about a step, in the order in which one target gets them."""
    bodies = [gzip.compress(body, 6) if packed else body for body in turns(hosts)]
    encoding = b"Content-Encoding: gzip\r\n" if packed else b""
    return tuple(HEAD % (encoding, len(body)) + body for body in bodies)


class Door(asyncio.Protocol):
    """One connection: `/plain/<hosts>/…` answers plainly, `/gzip/<hosts>/…` packed for whoever asks for it."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._figures.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        if self._transport is not None:
            for request in requests:
                self._transport.write(self._answer(request))

    def _answer(self, request: bytes) -> bytes:
        line, _, headers = request.partition(b"\r\n")
        answers = self._figures.answers.get(line)
        if answers is None:
            path = line.split(b" ")[1].split(b"/")
            if path[1] == b"figures":
                return self._counted()
            packed = path[1] == b"gzip" and b"gzip" in headers
            answers = self._figures.answers[line] = cycle(prepared(int(path[2]), packed=packed))
        self._figures.requests += 1
        return next(answers)

    def _counted(self) -> bytes:
        figures = self._figures
        body = json.dumps({"connections": figures.connections, "requests": figures.requests}).encode()
        figures.connections = figures.requests = 0
        return HEAD % (b"", len(body)) + body


async def serve() -> None:
    """Serve until stdin ends; say where on stdout."""
    figures = Figures()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Door(figures), "127.0.0.1", 0, backlog=4096)
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
    """Run the server in another process; give its URL."""
    command = [sys.executable, "-c", "from benchmarks.compare.server import main; main()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def counted(server: str) -> dict[str, int]:
    """Return how many connections and requests there were since the last time somebody asked."""
    with urlopen(f"{server}/figures") as answer:  # noqa: S310 - a server of our own
        figures: dict[str, int] = json.load(answer)
    figures["connections"] -= 1  # this one
    return figures
