"""Debian's `redis-server`, started by the tests in a folder of their own, and ended by them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

MISSING = "redis-server is not installed (Debian: apt-get install redis-server)"


def require_redis_server() -> str:
    """Return the path of redis-server; skip the test without it, or fail where services are required."""
    path = shutil.which("redis-server")
    if path is None:
        if os.environ.get("BKJOB_REQUIRE_SERVICES") == "1":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return path


def free_port() -> int:
    """Return a free port; so is the one that is 10 000 higher, which is the bus of a cluster.

    Both lie below those that the kernel gives to connections, so that none is taken meanwhile.
    """
    while True:
        port = random.randrange(11_000, 22_000)
        with socket.socket() as probe, socket.socket() as probe_of_bus, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            probe_of_bus.bind(("127.0.0.1", port + 10_000))
            return port


class RedisServer:
    """One server, on a free port and a socket in *folder*; it can be killed, paused, and started again on its files."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Prepare; `start` starts it."""
        self._program = require_redis_server()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.socket = folder / "redis.sock"
        self.others: list[int] = []

    @property
    def url(self) -> str:
        """The URL of a journal in this server, through its port."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """The URL of a journal in this server, through its socket."""
        return f"redis+unix://{self.socket}"

    def client(self) -> Any:
        """Return a plain client, for what tests do behind the journal's back."""
        return redis.Redis(port=self.port)

    def start(self) -> None:
        """Start the server and wait until it responds."""
        command = [self._program, "--port", str(self.port), "--unixsocket", str(self.socket), "--save", ""]
        command += ["--dir", str(self._folder), "--bind", "127.0.0.1", "--daemonize", "no", *self._options]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except redis.RedisError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def flush(self) -> None:
        """Remove all keys, of all servers of the cluster."""
        for port in (self.port, *self.others):
            client: Any = redis.Redis(port=port)
            client.flushall()
            client.close()

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the server at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server while the context lasts."""
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def running_cluster(folder: Path) -> Iterator[RedisServer]:
    """Run a cluster of two servers; give the first."""
    first, second = folder / "first", folder / "second"
    first.mkdir()
    second.mkdir()
    with (
        running(first, "--cluster-enabled", "yes") as one,
        running(second, "--cluster-enabled", "yes") as two,
        one.client() as in_one,
        two.client() as in_two,
    ):
        in_one.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        in_two.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        in_two.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 2)
        in_one.execute_command("CLUSTER", "MEET", "127.0.0.1", two.port)
        end = time.monotonic() + 30
        while not all("cluster_state:ok" in info for info in cluster_infos(in_one, in_two)):
            assert time.monotonic() < end
            time.sleep(0.05)
        one.others.append(two.port)
        yield one


def cluster_infos(*clients: Any) -> list[str]:
    """Return what each server knows about the cluster."""
    return [str(client.execute_command("CLUSTER", "INFO")) for client in clients]
