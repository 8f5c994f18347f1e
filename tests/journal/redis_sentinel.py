"""A Redis server, its replica and a Sentinel that knows them, started by the tests and ended by them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from attrs import define

from tests.journal.redis_server import RedisServer, free_port, require_redis_server, running

SERVICE = "night"
# A server that is silent for so long is down.
DOWN_AFTER = 0.5
CONFIGURATION = """\
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {service} 127.0.0.1 {server} 1
sentinel down-after-milliseconds {service} {down_after}
sentinel failover-timeout {service} 2000
"""


@define
class Sentinel:
    """The *first* server and its *replica*, and the *port* of the Sentinel that promotes the replica."""

    first: RedisServer
    replica: RedisServer
    port: int

    @property
    def url(self) -> str:
        """The URL of a journal there; the first of the Sentinels that it names is not there."""
        return f"redis+sentinel://127.0.0.1:1,127.0.0.1:{self.port}/{SERVICE}"

    def port_of_server(self) -> int:
        """Return the port of the server that the Sentinel names now."""
        client: Any = redis.Redis(port=self.port)
        with client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])


@contextmanager
def running_sentinel(folder: Path) -> Iterator[Sentinel]:
    """Run all three while the context lasts."""
    for name in ("first", "replica", "sentinel"):
        (folder / name).mkdir()
    with running(folder / "first") as first:
        replication = ("--replicaof", f"127.0.0.1 {first.port}", "--repl-diskless-sync-delay", "0")
        with running(folder / "replica", *replication) as replica:
            found = Sentinel(first, replica, free_port())
            file = folder / "sentinel" / "sentinel.conf"
            file.write_text(
                CONFIGURATION.format(
                    port=found.port,
                    folder=file.parent,
                    service=SERVICE,
                    server=first.port,
                    down_after=int(1000 * DOWN_AFTER),
                ),
                encoding="ascii",
            )
            with (file.parent / "log").open("ab") as log:
                process = subprocess.Popen(
                    [require_redis_server(), str(file), "--sentinel"], stdout=log, stderr=log
                )
            try:
                wait_until_known(found)
                yield found
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()


def wait_until_known(sentinel: Sentinel) -> None:
    """Wait until the Sentinel knows that the replica has what the server has."""
    end, client = time.monotonic() + 30, None
    while True:
        assert time.monotonic() < end
        try:
            client = redis.Redis(port=sentinel.port, decode_responses=True)
            replicas: Any = client.sentinel_slaves(SERVICE)
            if replicas and replicas[0]["master-link-status"] == "ok":
                return
        except redis.RedisError:
            pass
        finally:
            if client is not None:
                client.close()
        time.sleep(0.1)
