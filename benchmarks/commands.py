"""What a command costs on a connection of its own, beside a reused one: plain and with TLS, over the loopback interface.

A server in the same process answers launches; its part is in all rows alike. *reused* is a lent session that sends commands
itself (`HttpOptions(commands_through_lent_session=True)`). Over a network each new connection adds one round trip, with
TLS 1.3 two.
"""

from __future__ import annotations

import asyncio
import ssl
from statistics import median
from time import perf_counter, process_time

import aiohttp
import trustme

import bkjob_async as bkjob
from benchmarks.scale import rounds
from benchmarks.table import show
from bkjob_async.wire.aiohttp_transport import HttpOptions

LAUNCHES = 200
CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="bench")  # noqa: S106 - no secret
BODY = b'{"result":true,"code":0,"data":{"job_instance_id":1,"job_instance_name":"x","step_instance_id":2}}'
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
            writer.write(RESPONSE)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def measured(*, tls: bool, reused: bool) -> tuple[float, float]:
    """Return the milliseconds of CPU and of time of one launch."""
    server_context: ssl.SSLContext | None = None
    client_context: ssl.SSLContext | bool = True
    if tls:
        authority = trustme.CA()
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(server_context)
        client_context = ssl.create_default_context()
        authority.configure_trust(client_context)
    server = await asyncio.start_server(respond, "127.0.0.1", 0, ssl=server_context)
    port = server.sockets[0].getsockname()[1]
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/api/bk-job/prod"
    connector = aiohttp.TCPConnector(ssl=client_context)
    async with server, aiohttp.ClientSession(connector=connector) as session:
        options = HttpOptions(commands_through_lent_session=reused)
        scope = bkjob.Scope.biz(2)
        async with bkjob.connect(url, CREDENTIALS, scope=scope, session=session, http=options) as client:
            await client.fast_execute_script("uptime", 1, account_alias="root")
            cpu, begun = process_time(), perf_counter()
            for _ in range(LAUNCHES):
                await client.fast_execute_script("uptime", 1, account_alias="root")
            taken = process_time() - cpu, perf_counter() - begun
    return taken[0] / LAUNCHES * 1000, taken[1] / LAUNCHES * 1000


def main() -> None:
    """Print the milliseconds of one launch, and the ratio to a reused connection."""
    rows = []
    for tls in (False, True):
        pairs = [
            [asyncio.run(measured(tls=tls, reused=reused)) for reused in (False, True)]
            for _ in range(rounds(5))
        ]
        own, reused = ([median(pair[side][part] for pair in pairs) for part in (0, 1)] for side in (0, 1))
        rows.append(
            (
                "TLS" if tls else "plain",
                *(f"{number:.2f}" for number in (own[0], reused[0])),
                f"{own[0] / reused[0]:.2f}",
                *(f"{number:.2f}" for number in (own[1], reused[1])),
            )
        )
    show(
        "commands: one launch on a connection of its own, and on a reused one, with the server's part",
        ("connection", "ms of CPU, own", "reused", "ratio", "ms, own", "reused"),
        rows,
    )
