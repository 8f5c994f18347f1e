"""What a hostile server does to a client: `python -m tests.hostile` prints what it costs.

Each row is one thing that the server does, asked for once or 32 times at the same time, by calls on both paths and by polls
that go out over connections that are open: what the client says, how long
that took, the longest time that nothing else ran, the most CPU time used without a pause, and the most memory that the
process had so far. The command fails when a callback of the event loop raised, when an error was not a typed one, or
when the process took more memory than MAX_RSS.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import logging
import resource
import ssl
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import bkjob_async as bkjob
from tests.watch.inside import poll_once

Writer = asyncio.StreamWriter
# Does something to a connection; returns whether that goes on.
Deed = Callable[[Writer], Awaitable[bool]]

ROOT = Path(__file__).parent.parent
MIB = 1024 * 1024
TIMEOUT = 1.0
AT_ONCE = 32
MAX_RSS = 240  # megabytes: 190 without the rows of polls; what allocators keep differs from run to run
BEAT = 0.002
JOB = {
    "job_instance_id": 1,
    "bk_scope_type": "biz",
    "bk_scope_id": "2",
    "bk_biz_id": 2,
    "status": 3,
    "name": "n",
}
OK = json.dumps({"result": True, "code": 0, "data": {"finished": True, "job_instance": JOB}}).encode()
PATHS = {
    "fast": bkjob.HttpOptions(ssl=False),
    "polled": bkjob.HttpOptions(ssl=False),
    "ordinary": bkjob.HttpOptions(ssl=False, fast=False),
}


def head(*fields: str, status: str = "200 OK") -> bytes:
    """Return the head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", *fields, "", ""]).encode()


def whole(body: bytes, *fields: str) -> bytes:
    """Return a whole answer."""
    return head(f"Content-Length: {len(body)}", *fields) + body


def packed(body: bytes, how: str = "gzip") -> bytes:
    """Return an answer with a body that is packed, or said to be."""
    return whole(body, f"Content-Encoding: {how}")


def saying(data: bytes, *, ends: bool = True) -> Deed:
    """Send *data*, and then hang up or wait for what the client does."""

    async def say(writer: Writer) -> bool:
        writer.write(data)
        await writer.drain()
        return not ends

    return say


def repeating(first: bytes, again: bytes, pause: float = 0.0) -> Deed:
    """Send *first*, then *again* without end."""

    async def repeat(writer: Writer) -> bool:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return repeat


async def half_close(writer: Writer) -> bool:
    """Close one half in the middle of a body."""
    writer.write(head("Content-Length: 500") + OK)
    if has_halves := writer.can_write_eof():  # TLS has none
        with suppress(OSError):  # the client has given up
            writer.write_eof()
    return has_halves


BOMB = gzip.compress(bytes(255_000_000), 9)
CHUNKED = head("Transfer-Encoding: chunked")
DEEDS: dict[str, Deed] = {
    "good": saying(whole(OK), ends=False),
    "length: 60 MB promised, one byte": saying(head(f"Content-Length: {60 * MIB}") + b"{", ends=False),
    "length: 256 MB promised": saying(head("Content-Length: 268435456") + b"{", ends=False),
    "length: beyond numbers": saying(head("Content-Length: " + "9" * 40) + b"{", ends=False),
    "length: larger": saying(head(f"Content-Length: {len(OK) + 1}") + OK),
    "length: smaller": saying(head("Content-Length: 5") + OK, ends=False),
    "length: negative": saying(head("Content-Length: -1") + OK),
    "length: two": saying(head("Content-Length: 5", f"Content-Length: {len(OK)}") + OK),
    "length: and chunked": saying(
        head("Content-Length: 5", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "bomb: gzip": saying(packed(BOMB), ends=False),
    "bomb: zlib": saying(packed(zlib.compress(bytes(255_000_000), 9), "deflate"), ends=False),
    "bomb: members": saying(packed(gzip.compress(b" ") * 20_000), ends=False),
    "bomb: large members": saying(packed(gzip.compress(bytes(4 * MIB)) * 60), ends=False),
    "bomb: gzip in gzip": saying(packed(gzip.compress(BOMB), "gzip, gzip"), ends=False),
    "bomb: unknown": saying(packed(b"x" * 100, "br"), ends=False),
    "surplus: an answer": saying(whole(OK) + whole(b'{"code": 1}'), ends=False),
    "surplus: half a head": saying(whole(OK) + b"HTTP/1.1 200 OK\r\nX-Swallows: ", ends=False),
    "surplus: a line": saying(whole(OK) + b"\r\n", ends=False),
    "surplus: behind chunks": saying(
        CHUNKED + b"%x\r\n" % len(OK) + OK + b"\r\n0\r\n\r\nHTTP/1.1 ", ends=False
    ),
    "drip: a body": repeating(head(f"Content-Length: {len(OK)}"), b"{", 0.05),
    "drip: a head": repeating(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    "flood: 10 000 fields": saying(head(*(f"X-{n}: y" for n in range(10_000))) + OK),
    "flood: a line of 1 MB": saying(head("X: " + "y" * MIB) + OK),
    "flood: fields without end": repeating(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
    "flood: a body without end": repeating(head("Connection: close"), b"x" * 65_536),
    "flood: chunks without end": repeating(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    "flood: small chunks": repeating(CHUNKED, b"1\r\nx\r\n" * 10_000),
    "flood: a trailer without end": repeating(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000),
    "flood: 100 without end": repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "half-close": half_close,
}


class HostileServer:
    """Does the same *deed* to every request; counts nothing, keeps nothing."""

    def __init__(self) -> None:
        self.deed = "good"
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            goes_on = True
            while goes_on:
                request = await reader.readuntil(b"\r\n\r\n")
                length = request.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or b"0"))
                goes_on = await DEEDS[self.deed](writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def ended(self) -> None:
        """Wait until all connections are gone."""
        while self._tasks:  # noqa: ASYNC110 - each ends by itself when its client has gone
            await asyncio.sleep(0.005)


def server_context() -> ssl.SSLContext:
    """Return a context with a certificate that nobody has to trust."""
    import trustme  # noqa: PLC0415 - the memory of the process with the client is measured

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def hostile_server(
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[HostileServer, str]]:
    """Serve on a loopback port, by TLS with a *context*; yield the server and its URL."""
    hostile = HostileServer()
    server = await asyncio.start_server(hostile, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    try:
        yield hostile, f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await hostile.ended()
    finally:
        server.close()
        await server.wait_closed()


def client_of(url: str, http: bkjob.HttpOptions, timeout: float) -> bkjob.JobClient:
    """Return a client that asks once."""
    return bkjob.connect(
        url,
        bkjob.AppCredentials(bk_app_code="app", bk_app_secret="secret", bk_username="admin"),
        scope=bkjob.Scope.biz(2),
        request_timeout=timeout,
        retries=bkjob.Retries(attempts=1),
        max_in_flight=AT_ONCE,
        http=http,
    )


async def said(client: bkjob.JobClient) -> str:
    """Return what the client says of one read: the class of its error, or OK."""
    try:
        await client.get_job_instance_status(1)
    except bkjob.CallFailed as error:
        return type(error).__name__
    return "OK"


async def polled(client: bkjob.JobClient) -> str:
    """Return what the client says of one poll."""
    try:
        await poll_once(client, bkjob.JobRef(bkjob.Scope.biz(2), 1))
    except bkjob.CallFailed as error:
        return type(error).__name__
    return "OK"


# The command ---------------------------------------------------------------------------------------------------------


async def serve() -> None:
    """Serve without and with TLS until the standard input ends; each of its lines names the next deed."""
    loop = asyncio.get_running_loop()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each client that is gone
    async with hostile_server() as (plain, url), hostile_server(server_context()) as (secure, secure_url):
        print(url, secure_url, flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            plain.deed = secure.deed = line.strip()
            print(plain.deed, flush=True)


async def longest_block(run: Awaitable[None]) -> tuple[float, float]:
    """Return the longest time in which nothing else could run meanwhile, and the most CPU time used in between.

    Only the second says what the client did: the first is longer where the machine is busy with something else.
    """
    loop, longest, most = asyncio.get_running_loop(), 0.0, 0.0

    async def beat() -> None:
        nonlocal longest, most
        while True:
            before, used = loop.time(), time.thread_time()
            await asyncio.sleep(BEAT)
            longest = max(longest, loop.time() - before - BEAT)
            most = max(most, time.thread_time() - used)

    beating = asyncio.create_task(beat())
    try:
        await run
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
    return longest, most


async def measure(urls: Sequence[str], report: Callable[[str], None]) -> list[str]:
    """Print a row for each deed, way and number of requests; return what must not happen, but did."""
    loop = asyncio.get_running_loop()
    failures: list[str] = []
    rss = 0.0

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        failures.append(f"{row}: {context.get('exception') or context['message']!r}")
        loop.default_exception_handler(context)

    row = ""
    loop.set_exception_handler(note)
    print(
        f"{'deed':34} {'way':12} {'n':>2}  {'s':>5}  {'block ms':>8}  {'CPU ms':>6}  {'RSS MB':>6}  said; then"
    )
    for deed in DEEDS:
        for url, (path, http) in itertools.product(urls, PATHS.items()):
            way = f"{path} TLS" if url.startswith("https") else path
            for count in (1, AT_ONCE):
                row = f"{deed:34} {way:12} {count:2}"
                answers: list[str] = []
                ask = polled if path == "polled" else said
                async with client_of(url, http, TIMEOUT) as client:

                    async def run(
                        client: bkjob.JobClient = client,
                        count: int = count,
                        found: list[str] = answers,
                        ask: Callable[[bkjob.JobClient], Awaitable[str]] = ask,
                    ) -> None:
                        found += await asyncio.gather(*(ask(client) for _ in range(count)))

                    if ask is polled:  # there are connections for all
                        report("good")
                        await asyncio.gather(*(said(client) for _ in range(count)))

                    report(deed)
                    start = loop.time()
                    block, cpu = await longest_block(run())
                    seconds = loop.time() - start
                    report("good")
                    again = await said(client)
                rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                words = ", ".join(f"{number} {word}" for word, number in Counter(answers).items())
                print(
                    f"{row}  {seconds:5.2f}  {1000 * block:8.0f}  {1000 * cpu:6.0f}  {rss:6.0f}"
                    f"  {words}; {again}",
                    flush=True,
                )
    if rss > MAX_RSS:
        failures.append(f"{rss:.0f} MB of memory")
    return failures


def main() -> None:
    """Serve, or measure against a server in a process of its own."""
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile", "serve"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        stdin, stdout = server.stdin, server.stdout

        def report(deed: str) -> None:
            stdin.write(deed + "\n")
            stdin.flush()
            stdout.readline()

        failures = asyncio.run(measure(stdout.readline().split(), report))
        stdin.close()
    if failures:
        sys.exit("\n".join(["", f"{len(failures)} failures:", *failures]))


if __name__ == "__main__":
    main()
