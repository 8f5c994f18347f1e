"""Read the names of many new hosts before their response is applied, so that the event loop is never blocked for long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bkjob_async.engine.host_table.machines import Machines
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.poll_view import JobPollView, PollView
from bkjob_async.model.refs import HostKey

# A response about more new hosts than this is applied in several turns of the event loop.
MAX_NEW_HOSTS = 20_000


def lists_many_new_hosts(job: JobState, view: PollView) -> bool:
    """Return True if a response lists many hosts of a step that has none yet."""
    for step_view in view.steps if isinstance(view, JobPollView) else (view,):
        if step_view.groups and sum([group.size for group in step_view.groups]) > MAX_NEW_HOSTS:
            step = job.find_step(step_view.step_instance_id)
            if step is None or not step.hosts.size:
                return True
    return False


def read_names(view: PollView, machines: Machines) -> Iterator[Sequence[HostKey]]:
    """Read the names of all hosts in a response, in pieces that take some milliseconds each.

    Applying the response need not do that then, if what this yields is kept until it is applied.
    """
    for step_view in view.steps if isinstance(view, JobPollView) else (view,):
        rows = step_view.named([row for group in step_view.groups or () for row in group.rows or ()])
        yield ()
        yield machines.keys(rows)
