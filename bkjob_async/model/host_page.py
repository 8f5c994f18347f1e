"""A page of the hosts of a job or step."""

from __future__ import annotations

from attrs import frozen

from bkjob_async.model.refs import StepRef
from bkjob_async.model.snapshot import HostSnapshot


@frozen(kw_only=True)
class HostPage:
    """Some hosts of a job or step, each with its step.

    *hosts* are pairs of a `StepRef` and a `HostSnapshot`. *total* is the number of all hosts that were asked for, on this page and others. *after* asks for the next page; it is
    None on the last one.
    """

    hosts: tuple[tuple[StepRef, HostSnapshot], ...]
    total: int
    after: str | None = None
