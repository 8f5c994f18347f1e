"""The commands that keys stand for, as values; `BoardApp` carries them out."""

from __future__ import annotations

from enum import Enum, auto

from attrs import frozen

from bkjob_async import HostKey, Ref, StepRef


class Plain(Enum):
    """A command that names no target."""

    LEAVE = auto()
    """Stop watching; the jobs go on."""
    BACK = auto()
    """Close the present view."""
    SHOW_HELP = auto()
    """Open the help."""
    TOGGLE_PAUSE = auto()
    """Stop drawing what changes, or draw again; polling goes on."""


@frozen
class ShowHosts:
    """Open the hosts of a target."""

    ref: Ref


@frozen
class ShowLog:
    """Open the log of one host of a step."""

    step: StepRef
    host: HostKey


@frozen
class Explain:
    """Open what is known about polling a target."""

    ref: Ref


@frozen
class AskRetry:
    """Ask whether the failed hosts of a target are to be retried."""

    ref: Ref


@frozen
class Retry:
    """Retry the failed hosts of steps."""

    steps: tuple[StepRef, ...]


Command = Plain | ShowHosts | ShowLog | Explain | AskRetry | Retry
