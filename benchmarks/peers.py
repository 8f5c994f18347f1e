"""Other clients: the same server process and the same work: poll, compare, find the hosts that changed.

* *ours* is the public API as in `poll`, with one reader of all events.
* *strong* is what a strong engineer writes in sixty lines, as in `poll`.
* *sdk, threads* is bkapi-client-core 1.2.0 in a `ThreadPoolExecutor`, as usually used: it closes its connection after
  each call. *sdk, pooled* has one session with one connection per thread.
* *aiohttp* is a bare loop with `r.json()` and a dict. *httpx* is the same with 1 request in flight, at which it is
  fastest; compare it with *aiohttp at 1*.

The second table shows the connections, counted at the server, that the first poll of ten thousand targets takes.
Needs the extra `benchmarks`.
"""

from __future__ import annotations

import asyncio

import bkjob_async as bkjob
from benchmarks.compare.bodies import STEP
from benchmarks.compare.processes import figures_of, interleaved, print_figures
from benchmarks.compare.server import read_counts, running_server
from benchmarks.poll import CREDENTIALS, ours, strong
from benchmarks.scale import scaled
from benchmarks.table import show

WAYS = ("ours", "strong", "sdk, threads", "sdk, pooled", "aiohttp", "aiohttp at 1", "httpx at 1")
SIZES = (1, 100)
SECONDS = scaled(1.2, 0.2)
TARGETS = scaled(10_000, 100)
THREADS = 32


def child(way: str, server: str) -> None:
    """Measure one way in this process."""
    from benchmarks.compare import others  # noqa: PLC0415 - only the measured process pays for the import

    if way in ("ours", "strong"):
        poll = {"ours": ours, "strong": strong}[way]
        used = asyncio.run(poll(server, THREADS, SECONDS))
    elif way.startswith("sdk"):
        used = others.sdk(server, THREADS, SECONDS, pooled=way == "sdk, pooled")
    else:
        loop = others.httpx_loop if way.startswith("httpx") else others.aiohttp_loop
        used = asyncio.run(loop(server, 1 if way.endswith("at 1") else THREADS, SECONDS))
    print_figures(cpu=used)


def first_poll(way: str, server: str) -> None:
    """Poll every target once."""
    from benchmarks.compare import others  # noqa: PLC0415 - only the measured process pays for the import

    if way == "ours":
        asyncio.run(watch_once(server))
    else:
        others.sdk_once(server, THREADS, TARGETS, pooled=way == "sdk, pooled")


async def watch_once(server: str) -> None:
    """Watch the targets until each was polled."""
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
    """Return the number of connections at the server while *way* polls every target once."""
    read_counts(server)
    figures_of(
        f"from benchmarks.peers import first_poll; first_poll({way!r}, '{server}/plain/1'); print('{{}}')"
    )
    return read_counts(server)["connections"]
