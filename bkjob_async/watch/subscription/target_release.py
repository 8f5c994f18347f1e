"""End polling for one watch: its targets are released in slices, and their states are kept."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from bkjob_async.engine.tracking.job_views import copy_of
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.polling.target_registry import Subscriber
from bkjob_async.watch.stream.target_states import TargetStates


def release_targets(watch: Subscriber, states: TargetStates, poller: Poller) -> Iterator[None]:
    """Unsubscribe a *watch* from all of its targets, a job a step; their *states* are kept."""
    for job, refs in states.targets.jobs():
        state = copy(poller.state(job))
        for ref in refs:
            poller.unsubscribe(watch, ref)
        if state is not None:
            # What other watches see of the job from now on is not reported here.
            is_followed = poller.state(job) is not None
            states.keep(job, copy_of(state) if is_followed else state)
        yield
    poller.remove_subscriber(watch)
