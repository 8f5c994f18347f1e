"""Run `bkjob`: within this process, or as a shell does.

Within it a command takes some milliseconds, as a process half a second. A process is for what only one has: signals, its own
stdin and stdout, how it is started and how it ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, Any
from unittest import mock

import bkjob_async
from bkjob_async.cli.actions.simulate import fault_from
from bkjob_async.cli.entry import main
from bkjob_async.testing import RateLimit, Simulator

ROOT = Path(__file__).parent.parent.parent
SECRET = "not-to-be-seen"
IDENTITY = {"BKJOB_APP_CODE": "tests", "BKJOB_APP_SECRET": SECRET, "BKJOB_USERNAME": "admin"}
PATIENCE = 60.0
# The tests do not read the profiles of whoever runs them.
NO_CONFIG = str(ROOT / "tests" / "no-config.toml")

Process = subprocess.Popen[str]


def start_words(*arguments: str) -> list[str]:
    """Return the words that start `bkjob` with *arguments*; any warning is an error."""
    return [sys.executable, "-W", "error", "-m", "bkjob_async", *arguments]


@contextmanager
def interruptible() -> Iterator[None]:
    """Let commands that are started meanwhile notice Ctrl-C.

    What a shell starts in the background ignores it, and so does whatever that starts in turn. Other threads cannot
    change it; what they start is not interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def start(
    *arguments: str, env: Mapping[str, str] | None = None, stdout: IO[str] | int = subprocess.PIPE
) -> Process:
    """Start `bkjob` with *arguments*, and with credentials unless *env* says otherwise."""
    with interruptible():
        return subprocess.Popen(
            start_words(*arguments),
            cwd=ROOT,
            env=environment(env),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )


def run(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "", stdout: IO[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `bkjob` to its end, within this process; in a thread of its own, as a test may have an event loop in this one.

    It reads the text *stdin*, and writes to the file *stdout* instead of what is returned.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_run, *arguments, env=env, stdin=stdin, stdout=stdout).result(PATIENCE)


def _run(
    *arguments: str, env: Mapping[str, str] | None, stdin: str, stdout: IO[str] | None
) -> subprocess.CompletedProcess[str]:
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    given = TextIOWrapper(BytesIO(stdin.encode()), encoding="utf-8")
    words = [str(Path(bkjob_async.__file__).parent / "__main__.py"), *arguments]
    with (
        mock.patch.dict(os.environ, environment(env), clear=True),
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdin", given),
        redirect_stdout(out if stdout is None else stdout),
        redirect_stderr(err),
    ):
        code = main()
    said = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(words, code, *said)


def environment(env: Mapping[str, str] | None) -> dict[str, str]:
    """Return the environment of a command: credentials unless *env* says otherwise, and no profiles of whoever runs this."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BKJOB_")}
    return {**clean, "BKJOB_CONFIG": NO_CONFIG, **(IDENTITY if env is None else env)}


def ended(process: Process) -> subprocess.CompletedProcess[str]:
    """Wait for a process, and return what it said."""
    with process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def control(url: str, name: str, given: Any = None) -> Any:
    """Ask the simulator's control API, or with *given* tell it."""
    body = None if given is None else json.dumps(given).encode()
    request = urllib.request.Request(f"{url}/_control/{name}", data=body)  # noqa: S310 - our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
        return json.load(answer)


def full_disk() -> IO[str]:
    """Return a file on which nothing can be stored."""
    return Path("/dev/full").open("w", encoding="utf-8")


def closed_pipe() -> IO[str]:
    """Return a pipe whose reader has gone away."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", encoding="utf-8")


@contextmanager
def unwritable(stream: IO[str]) -> Iterator[IO[str]]:
    """Close *stream* at the end, whatever a command left in its buffer."""
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()


@contextmanager
def simulator(
    scenario: str = "slow-tail",
    *,
    speed: float = 1.0,
    seed: int = 0,
    faults: Sequence[str] = (),
    rate_limit: RateLimit | None = None,
) -> Iterator[str]:
    """Serve a simulated platform from a thread; yield its URL."""
    simulated = Simulator(scenario, seed=seed, speed=speed, rate_limit=rate_limit, begins=datetime.now(UTC))
    simulated.platform.faults += map(fault_from, faults)
    with simulated.serve_in_thread() as server:
        yield server.url


@contextmanager
def simulator_process(*arguments: str) -> Iterator[str]:
    """Run `bkjob simulate` with *arguments*, as a process; yield the URL that it says first."""
    process = start("simulate", *arguments)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), ended(process).stderr
        yield url
    finally:
        process.terminate()
        ended(process)


def wait_until_polled(url: str) -> None:
    """Wait until a simulator was asked for the status of a job."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if any("status" in name for name in control(url, "")["request_counts"]):
            return
        time.sleep(0.02)
    raise AssertionError("nobody asks")
