"""The state of one job instance and its steps, with methods that read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from bkjob_async.engine.tracking.poll_state import NO_FAILURES, PollFailures, PollState, without
from bkjob_async.engine.tracking.run_state import RUNNING, RunState, Stage, stage_of
from bkjob_async.engine.tracking.step_state import SETTLE_BOUND, StepState
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Lost
from bkjob_async.model.refs import JobRef, Ref, StepRef
from bkjob_async.model.status import Phase, run_status

# Who joins is given the hosts as they are known after so many seconds in which rows of each response were not believed.
DISTRUST_BOUND = 10.0

# A pending job or step starts by itself within this time; if it is pending longer, it waits for a user. (seconds)
PENDING_SOON = 30.0


class JobState(RunState[JobRef], eq=False, gc=False):
    """What is known of one job instance and its steps, and what was announced to readers.

    One state serves all watches of the job and of its steps: every response is applied once and every event made once.
    The job itself is a target (`is_target`), or single steps of it (`target_steps`), or both. `pending` lists what the
    present round of requests still has to read, by step id (0 for the job); `polled_via_step` says that the round began
    with a step that represents the job, `reads_all` that it reads every row, whatever the detail level: the first round
    does, and each one for a watch that was just opened. `operated_at` is when the last operation on the job was made,
    as long as what is known may be from before it; `was_operated` remains. `launched_at` is when this client launched
    the job, if it did shortly before it was watched. `start_seen_at` is the same as `running_since` where it was seen pending
    before, else None. `digest` is that of the last response about the job if all its rows
    were believed, 0 for none.

    There may be a hundred thousand jobs, so the garbage collector does not track them: nothing that a job refers to may
    refer back to it.
    """

    operated_at: float | None = None
    was_operated: bool = False
    launched_at: float | None = None
    start_seen_at: float | None = None
    is_target: bool = False
    target_steps: tuple[StepRef, ...] = ()
    steps: tuple[StepState, ...] = ()
    seen_at: float | None = None
    job_seen_at: float | None = None
    first_polled_at: float | None = None
    settling_since: float | None = None
    detail_level: DetailLevel = DetailLevel.EVERY_CHANGE
    pending: tuple[int, ...] = ()
    polled_via_step: bool = False
    reads_all: bool = False
    poll_failures: PollFailures = NO_FAILURES
    ended: tuple[tuple[Ref, float | None], ...] = ()
    poll_state: PollState | None = None
    digest: int = 0

    # Targets and steps ----------------------------------------------------------------------------------------------

    def add_target(self, ref: Ref) -> None:
        """Make *ref*, this job or a step of it, a target."""
        if not isinstance(ref, StepRef):
            self.is_target = True
        elif ref not in self.target_steps:
            # The ref of the step's state, because the same object compares faster.
            self.target_steps = (*self.target_steps, self.step(ref.step_instance_id, ref).ref)

    def remove_target(self, ref: Ref) -> None:
        """Remove a target; a settling status is forgotten, and settles anew if it is a target again."""
        if isinstance(ref, StepRef):
            self.target_steps = tuple(other for other in self.target_steps if other != ref)
        else:
            self.is_target = False
            self.settling_since = None
        if not self.is_target:
            for step in self.steps:
                if step.ref not in self.target_steps:
                    step.stop_settling()
        self.retry_lost(ref)

    def retry_lost(self, ref: Ref) -> None:
        """Poll a target again that was lost; refusals from before are forgotten."""
        failures = self.poll_failures
        if ref in failures.lost:
            self.poll_failures = replace(
                failures,
                lost=without(failures.lost, ref),
                not_found=without(failures.not_found, ref),
                refusals=0,
                absent_since={},
            )

    @property
    def targets(self) -> tuple[Ref, ...]:
        """The job itself, single steps of it, or both: what is watched."""
        return (self.ref, *self.target_steps) if self.is_target else self.target_steps

    def step(self, step_instance_id: int, ref: StepRef | None = None) -> StepState:
        """Return the state of a step, a new one if the step is not known; *ref* is its reference, if at hand."""
        known = self.find_step(step_instance_id)
        if known is None:
            known = StepState(self.ref.step(step_instance_id) if ref is None else ref)
            self.steps = (*self.steps, known)
        return known

    def find_step(self, step_instance_id: int) -> StepState | None:
        """Return the state of a step, None if it was neither seen nor a target."""
        for step in self.steps:
            if step.ref.step_instance_id == step_instance_id:
                return step
        return None

    def run_of(self, ref: Ref) -> JobState | StepState | None:
        """Return the state of *ref*: this one, or that of a step; None if the step was neither seen nor a target."""
        return self.find_step(ref.step_instance_id) if isinstance(ref, StepRef) else self

    def open_steps(self) -> list[StepState]:
        """Return the watched steps that are not finished."""
        lost = self.poll_failures.lost
        return [
            step
            for step in self.steps
            if not step.announced.finished
            and (self.is_target or (step.ref in self.target_steps and not (lost and step.ref in lost)))
        ]

    # What is over ---------------------------------------------------------------------------------------------------

    @property
    def lost(self) -> Mapping[Ref, Lost]:
        """The targets that are lost."""
        return self.poll_failures.lost

    def is_over(self, ref: Ref) -> bool:
        """Return True if a target was announced finished or lost."""
        return ref in self.poll_failures.lost or self.has_finished(ref)

    def has_finished(self, ref: Ref) -> bool:
        """Return True if a target was announced finished and has not run since."""
        run = self.run_of(ref)
        return run is not None and run.announced.finished

    def is_settled(self, ref: Ref) -> bool:
        """Return True if a target is over and nothing can have changed that since.

        An operation may have. An end that a journal recorded may be undone since: it has to be read once more.
        """
        lost = self.poll_failures.lost
        if lost and ref in lost:
            return True
        run = self.run_of(ref)
        if run is None or not run.announced.finished:
            return False
        is_doubtful = self.seen_at is None or self.is_doubtful(run.active_at)
        return stage_of(was_over=True, is_final=True, is_doubtful=is_doubtful) is Stage.OVER

    def all_settled(self) -> bool:
        """Return True if every target is settled."""
        if self.is_target and not self.is_settled(self.ref):
            return False
        for ref in self.target_steps:  # noqa: SIM110 - called for every poll, mostly with one
            if not self.is_settled(ref):
                return False
        return True

    def is_doubtful(self, active_at: float | None) -> bool:
        """Return True if a final status may be from before an operation: *active_at* is not after it."""
        since = self.operated_at
        return since is not None and (active_at is None or active_at <= since)

    def must_read_after_operation(self, now: float) -> bool:
        """Return True if a response about the job that is requested now shows what an operation made of it."""
        return self.operated_at is not None and now >= self.operated_at + SETTLE_BOUND

    def has_doubtful_step(self) -> bool:
        """Return True if a finished step that is a target by itself is in doubt after an operation."""
        if self.operated_at is None:
            return False
        return any(
            step.announced.finished and step.ref in self.target_steps and self.is_doubtful(step.active_at)
            for step in self.steps
        )

    # What was read --------------------------------------------------------------------------------------------------

    def was_read(self, ref: Ref) -> bool:
        """Return True if any response had *ref*."""
        run = self.run_of(ref)
        return run is not None and run.status_code is not None

    def is_in_sync(self, ref: Ref) -> bool:
        """Return True if all that can be known of *ref* by now was read, or it cannot be read."""
        if ref in self.poll_failures.lost or ref in self.poll_failures.troubled:
            return True
        return self.was_read(ref) and not self.pending

    def is_up_to_date(self, ref: Ref) -> bool:
        """Return True if all that the last response showed was announced: nothing settles or is in doubt."""
        if not self.was_read(ref) or self.distrusts_rows(ref):
            return False
        if isinstance(ref, StepRef):
            settles = self.step(ref.step_instance_id).progress.settling is not None
        else:
            settles = self.has_settling_step() or (
                self.settling_since is not None and not self.announced.finished
            )
        return not settles and (not self.has_finished(ref) or self.is_settled(ref))

    def distrusts_rows(self, ref: Ref) -> bool:
        """Return True if the next response shows whether rows of the last one about *ref*, or a step of it, are believed."""
        since = [step.progress.distrusted_since for step in self.steps if ref in (step.ref, self.ref)]
        seen_at = self.seen_at or 0.0
        return any(at is not None and seen_at - at < DISTRUST_BOUND for at in since)

    def will_end_with_job(self, ref: Ref) -> bool:
        """Return True if *ref* is a step that is open although its job is final: it is announced finished after a bound."""
        return isinstance(ref, StepRef) and self.settling_since is not None and not self.has_finished(ref)

    # How often to poll ----------------------------------------------------------------------------------------------

    def stage(self) -> Stage:
        """Return how far the targets are: over if every one is settled, settling while details of a final status may change.

        They may while rows are not believed: whoever joined is given the state with the next ones.
        """
        if self.all_settled():
            return Stage.SETTLING if self.distrusts_rows(self.ref) else Stage.OVER
        return Stage.SETTLING if self.is_settling() else Stage.OPEN

    def is_settling(self) -> bool:
        """Return True if a final status was seen whose details may still change."""
        if self.operated_at is not None:
            return True
        if self.is_target and self.settling_since is not None and not self.announced.finished:
            return True
        if not self.has_settling_step():
            return False  # nearly always, and cheaper than to find out which steps are watched
        return any(step.progress.settling is not None for step in self.open_steps())

    def has_settling_step(self) -> bool:
        """Return True if any step, watched or not, shows a final status that was not announced yet."""
        for step in self.steps:  # noqa: SIM110 - called for every poll, mostly with one
            if step.progress.settling is not None:
                return True
        return False

    def is_waiting(self, now: float, open_steps: Sequence[StepState] | None = None) -> bool:
        """Return True if nothing goes on until a user acts; *open_steps* if at hand."""
        steps = self.open_steps() if open_steps is None else open_steps
        codes = [step.status_code for step in steps if step.started]
        if RUNNING in codes:
            return False
        if self.is_target and self.status_code is not None and not codes:
            codes = [self.status_code]
        phases = {run_status(code).phase for code in codes if code is not None}
        if phases == {Phase.PENDING}:
            return self.first_polled_at is not None and now - self.first_polled_at > PENDING_SOON
        return bool(phases) and phases <= {Phase.WAITING, Phase.PENDING}

    def age(self, now: float) -> float:
        """Return the seconds for which the present run was seen running."""
        since = [step.running_since for step in self.open_steps() if step.running_since is not None]
        if not since and self.running_since is not None:
            since = [self.running_since]
        return now - max(since) if since else 0.0
