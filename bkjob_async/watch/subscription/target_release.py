"""End polling for one watch: its targets are released in slices, and their states are kept."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from attrs import Factory, define, field

from bkjob_async.engine.tracking.job_views import copy_of
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.watch.cooperative import CooperativeLoop
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.polling.target_registry import Subscriber
from bkjob_async.watch.stream.target_states import TargetStates
from bkjob_async.watch.stream.targets import TargetSet


@define(eq=False)
class TargetRelease:
    """Unsubscribes a *watch* from all of its *targets*, job by job; their *states* are kept."""

    watch: Subscriber
    targets: TargetSet
    states: TargetStates
    poller: Poller
    _jobs: Iterator[tuple[JobRef, tuple[Ref, ...]]] = field(factory=lambda: iter(()), init=False)
    _loop: CooperativeLoop = field(
        default=Factory(lambda self: CooperativeLoop(self._release_next_job), takes_self=True), init=False
    )

    def start(self) -> None:
        """Begin to release the targets that the watch has now."""
        self._jobs = self.targets.jobs()
        self._loop.start()

    async def wait(self) -> None:
        """Wait until all are released."""
        await self._loop.wait()

    def _release_next_job(self) -> bool:
        """Unsubscribe from the next job, keeping its state; return whether there was one."""
        watch, poller = self.watch, self.poller
        for job, refs in self._jobs:
            state = copy(poller.state(job))
            for ref in refs:
                poller.unsubscribe(watch, ref)
            if state is not None:
                # What other watches see of the job from now on is not reported here.
                is_followed = poller.state(job) is not None
                self.states.keep(job, copy_of(state) if is_followed else state)
            return True
        poller.remove_subscriber(watch)
        return False
