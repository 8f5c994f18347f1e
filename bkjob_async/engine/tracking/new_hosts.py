"""Read the names of many new hosts before their response is applied, so that the event loop is never blocked for long."""

from __future__ import annotations

from collections.abc import Iterator

from bkjob_async.engine.host_table.machines import Machines
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.poll_view import JobPollView, PollView
from bkjob_async.model.refs import HostKey

# A response about more new hosts than this is applied in several turns of the event loop.
MAX_NEW_HOSTS = 20_000


def read_names(job: JobState, view: PollView, machines: Machines) -> Iterator[list[HostKey]]:
    """Read the names of many hosts that a response lists for the first time: work that applying it need not do then.

    It comes in pieces, each of which takes some milliseconds; what it yields is to be kept until the response is applied.
    """
    for step_view in view.steps if isinstance(view, JobPollView) else (view,):
        groups = step_view.groups or ()
        step = job.find_step(step_view.step_instance_id)
        if sum(group.size for group in groups) <= MAX_NEW_HOSTS or (step is not None and step.hosts.size):
            continue
        rows = step_view.named([row for group in groups for row in group.rows or ()])
        yield []
        yield machines.keys(rows)
