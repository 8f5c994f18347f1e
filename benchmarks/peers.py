"""Us beside other clients: the same server process, the same work: poll, compare, see which hosts moved.

* *ours* is the public API as in `poll`, every event read by one reader.
* *sdk, threads* is bkapi-client-core 1.2.0 in a `ThreadPoolExecutor`, as people use it: it closes its connections after
  each call. *sdk, pooled* is the same, tuned: one session whose pool has a connection for each thread.
* *aiohttp* is a bare loop with `r.json()` and a dict; *httpx* the same, at 1 in flight, where its pool is at its best;
  it stands beside aiohttp at 1 in flight.

The second table counts, at the server, the connections that ten thousand targets take for their first look.
Needs the extra `benchmarks`.
"""

from __future__ import annotations

import asyncio

import bkjob_async as bkjob
from benchmarks.compare.bodies import STEP
from benchmarks.compare.processes import figures_of, interleaved, tell
from benchmarks.compare.server import counted, running_server
from benchmarks.poll import CREDENTIALS, ours
from benchmarks.table import show

WAYS = ("ours", "sdk, threads", "sdk, pooled", "aiohttp", "aiohttp at 1", "httpx at 1")
SIZES = (1, 100)
SECONDS = 1.2
TARGETS = 10_000
THREADS = 32


def child(way: str, server: str) -> None:
    """Measure one way in this process."""
    from benchmarks.compare import others  # noqa: PLC0415 - only who is measured pays for what it imports

    if way == "ours":
        used = asyncio.run(ours(server, THREADS, SECONDS))
    elif way.startswith("sdk"):
        used = others.sdk(server, THREADS, SECONDS, pooled=way == "sdk, pooled")
    else:
        loop = others.httpx_loop if way.startswith("httpx") else others.aiohttp_loop
        used = asyncio.run(loop(server, 1 if way.endswith("at 1") else THREADS, SECONDS))
    tell(cpu=used)


def first_look(way: str, server: str) -> None:
    """Look once at ten thousand targets."""
    from benchmarks.compare import others  # noqa: PLC0415 - only who is measured pays for what it imports

    if way == "ours":
        asyncio.run(watch_once(server))
    else:
        others.sdk_once(server, THREADS, TARGETS, pooled=way == "sdk, pooled")


async def watch_once(server: str) -> None:
    """Watch ten thousand targets until each was seen."""
    client = bkjob.connect(server, CREDENTIALS, interval=3600.0)
    refs = [bkjob.JobRef(bkjob.Scope.biz(2), n).step(STEP) for n in range(1, TARGETS + 1)]
    async with client, client.watch(refs) as watch:
        async for event in watch:
            if isinstance(event, bkjob.InSync):
                return


def main() -> None:
    """Measure and print."""
    with running_server() as server:
        variants = {
            f"{way}; {hosts}": f"from benchmarks.peers import child; child({way!r}, '{server}/plain/{hosts}')"
            for hosts in SIZES
            for way in WAYS
        }
        found = {name: figures["cpu"] for name, figures in interleaved(variants).items()}
        connections = {way: connections_of(way, server) for way in ("ours", "sdk, threads", "sdk, pooled")}
    rows = [
        (name, f"{used:.1f}", f"{found['ours; ' + name.rpartition(' ')[2]] / used:.3f}")
        for name, used in found.items()
    ]
    show("peers: CPU per poll of the client's process", ("way; hosts", "µs", "ours ÷ it"), rows)
    show(
        f"peers: connections for {TARGETS} targets, counted at the server",
        ("way", "connections"),
        list(connections.items()),
    )


def connections_of(way: str, server: str) -> int:
    """Return how many connections the server counts while *way* looks once at every target."""
    counted(server)
    figures_of(
        f"from benchmarks.peers import first_look; first_look({way!r}, '{server}/plain/1'); print('{{}}')"
    )
    return counted(server)["connections"]
