"""A terminal in which `bkjob` is run, as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define, field

from tests.cli import shell


@define
class Terminal:
    """A process in a terminal of its own, and all that it has written."""

    process: subprocess.Popen[bytes]
    master: int
    written: str = field(default="", init=False)

    def type(self, keys: str) -> None:
        """Press *keys*."""
        with suppress(OSError):
            os.write(self.master, keys.encode())

    @property
    def is_raw(self) -> bool:
        """Whether keys reach the program as they are pressed, without echo."""
        return not termios.tcgetattr(self.master)[3] & (termios.ECHO | termios.ICANON)

    def go_away(self) -> None:
        """Close the terminal; harmless when repeated."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; the process is reported by a signal."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_for(self, seconds: float) -> str:
        """Read what is written within *seconds*, or until the end; return all so far."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                self.written += os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:  # the last process has closed its side
                break
        return self.written

    def read_until(self, text: str) -> str:
        """Read until *text* was written; fail after a while."""
        until = time.monotonic() + shell.PATIENCE
        while text not in self.written:
            assert time.monotonic() < until, self.written
            assert self.process.poll() is None or text in self.read_for(0.2), self.written
            self.read_for(0.05)
        return self.written

    def ended(self, *, pressing: str = "", every: float = 0.3) -> int:
        """Return the exit code of the process, *pressing* keys now and then."""
        until = time.monotonic() + shell.PATIENCE
        pressed = time.monotonic()
        while self.process.poll() is None:
            assert time.monotonic() < until, self.written
            self.read_for(0.3)
            if time.monotonic() - pressed >= every:
                self.type(pressing)
                pressed = time.monotonic()
        self.read_for(0.2)
        return self.process.returncode


def take_control() -> None:
    """Make the terminal that of this process, which begins."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def terminal(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    columns: int = 80,
    rows: int = 24,
    stdout: Path | None = None,
    controls: bool = True,
) -> Iterator[Terminal]:
    """Run `bkjob` in a terminal of this size, its stdout in a file if given; kill it at the end if it still runs.

    A terminal that *controls* the process sends it signals: for Ctrl-C, and when it goes away.
    """
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BKJOB_") and name not in {"CI", "NO_COLOR", "COLUMNS", "LINES"}
    }
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    out = slave if stdout is None else os.open(stdout, os.O_WRONLY | os.O_CREAT)
    with shell.interruptible():
        process = subprocess.Popen(
            shell.start_words(*arguments),
            cwd=shell.ROOT,
            env={
                **clean,
                "TERM": "xterm-256color",
                "LC_ALL": "C.UTF-8",
                "BKJOB_CONFIG": shell.NO_CONFIG,
                **shell.IDENTITY,
                **(env or {}),
            },
            stdin=slave,
            stdout=out,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_control if controls else None,  # noqa: PLW1509 - Ctrl-C reaches who controls the terminal
        )
    os.close(slave)
    if stdout is not None:
        os.close(out)
    shown = Terminal(process, master)
    try:
        yield shown
    finally:
        process.kill()
        process.wait()
        shown.go_away()
