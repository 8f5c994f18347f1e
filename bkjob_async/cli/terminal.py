"""The abilities of the terminal: whether it can prompt and redraw, or shows lines only."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from getpass import getpass
from typing import TextIO

import click

from bkjob_async.model.base_error import UsageError
from bkjob_async.model.text.printing import printable

NO = {"", "0", "false", "no"}


def is_plain(environ: Mapping[str, str]) -> bool:
    """Return True where a terminal must not be redrawn and no question asked: `TERM=dumb`, `CI`."""
    return environ.get("TERM") == "dumb" or environ.get("CI", "").lower() not in NO


def can_ask() -> bool:
    """Return True if a question on stderr reaches somebody who can answer on stdin."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr) and not is_plain(os.environ)


def can_redraw(stream: TextIO) -> bool:
    """Return True if *stream* is a terminal on which lines can be drawn again."""
    return is_terminal(stream) and not is_plain(os.environ)


def is_terminal(stream: TextIO | None) -> bool:
    """Return True if *stream* is a terminal; a closed one is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end what blocks the event loop: a question, a program that is asked for a secret."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def confirm(question: str, *, yes: bool) -> None:
    """Ask the user, unless *yes* was given; raise `UsageError` where nobody can be asked, `click.Abort` for no."""
    if yes:
        return
    if not can_ask():
        raise UsageError("nobody can be asked here: give --yes")
    try:
        with interruptible():
            click.confirm(printable(question), abort=True, err=True)
    except click.Abort:
        click.echo("nothing was done", err=True)
        raise


def ask_secret(name: str) -> str:
    """Ask the user for a secret, without showing it."""
    # It asks once the terminal shows nothing any more and what was typed before is gone; click asks before that.
    try:
        with interruptible():
            return getpass(f"{name.replace('_', ' ')}: ", stream=sys.stderr)
    except (KeyboardInterrupt, EOFError):
        raise click.Abort from None
