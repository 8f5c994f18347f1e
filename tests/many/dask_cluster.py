"""A Dask scheduler and workers, processes of their own on the loopback interface."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.journal.redis_server import free_port
from tests.many.fleets import OWN_CREDENTIALS

ROOT = Path(__file__).parent.parent.parent
MISSING = "distributed is not installed (pip install 'bkjob-async[dask]')"
PATIENCE = 60.0


def require_dask() -> None:
    """Skip the test where Dask is not installed, or fail where services are required."""
    if importlib.util.find_spec("distributed") is None:
        if os.environ.get("BKJOB_REQUIRE_SERVICES") == "1":
            pytest.fail(MISSING)
        pytest.skip(MISSING)


class DaskCluster:
    """A scheduler at `address`, and workers by name; each can be killed, stopped and started again."""

    def __init__(self, folder: Path, *, slots: int, worker_ttl: float, environment: dict[str, str]) -> None:
        """Prepare; workers have so many *slots* each, and *environment* beside our own."""
        self._folder = folder
        self._slots = slots
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{worker_ttl}s",
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
            "BKJOB_CREDENTIALS": OWN_CREDENTIALS,
            **environment,
        }
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """Where clients and workers find the scheduler."""
        return f"tcp://127.0.0.1:{self.port}"

    def log(self, name: str) -> str:
        """Return what a process has written."""
        return (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def start_scheduler(self) -> None:
        """Start the scheduler, and wait until it listens."""
        self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
        )
        end = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert time.monotonic() < end
            time.sleep(0.05)

    def start_worker(self, name: str) -> None:
        """Start a worker; it registers a moment later."""
        options = ["--no-nanny", "--no-dashboard", "--nthreads", str(self._slots), "--name", name]
        options += ["--resources", f"bkjob={self._slots}", "--local-directory", str(self._folder)]
        self._start(name, "worker", self.address, "--host", "127.0.0.1", *options)

    def _start(self, name: str, kind: str, *options: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + kind, *options],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a process a signal."""
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """Kill a process at once, and wait for its end."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def restart_what_ended(self) -> None:
        """Start workers again that have ended, as systemd does."""
        for name, process in [*self.processes.items()]:
            if process.poll() is not None:
                del self.processes[name]
                if name == "scheduler":
                    self.start_scheduler()
                else:
                    self.start_worker(name)

    def close(self) -> None:
        """Kill all processes."""
        for name in [*self.processes]:
            self.kill(name)


@contextmanager
def running_dask(
    folder: Path, *, workers: int = 2, slots: int = 4, worker_ttl: float = 300.0, **environment: str
) -> Iterator[DaskCluster]:
    """Run a scheduler and workers while the context lasts."""
    cluster = DaskCluster(folder, slots=slots, worker_ttl=worker_ttl, environment=environment)
    try:
        cluster.start_scheduler()
        for number in range(workers):
            cluster.start_worker(f"worker-{number}")
        yield cluster
    finally:
        cluster.close()
