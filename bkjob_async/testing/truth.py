"""The true history of a simulated world, with which a stream is compared."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from math import inf

from attrs import field, frozen

from bkjob_async.model.refs import JobRef, Ref, StepRef
from bkjob_async.model.status import run_status
from bkjob_async.simulator.world.history import Details, History, HostRun

# The data of a response may have been read so many seconds before it arrived.
SLACK = 1.0


@frozen(kw_only=True, slots=False)
class Truth:
    """The true codes of each host, step and job, in order, without consecutive equal ones.

    *hosts* is keyed by (step, execute_count, host label); *steps* and *jobs* by their refs. *since* has the
    second at which each of those codes began, by the same keys; *details* the (tag, exit code) that a host
    may show with a final code. What is missing in these two is not checked.
    """

    hosts: Mapping[HostRun, Sequence[int]] = field(factory=dict)
    steps: Mapping[StepRef, Sequence[int]] = field(factory=dict)
    jobs: Mapping[JobRef, Sequence[int]] = field(factory=dict)
    since: Mapping[HostRun | Ref, Sequence[float]] = field(factory=dict)
    details: Mapping[HostRun, Mapping[int, Collection[Details]]] = field(factory=dict)

    def codes(self, key: HostRun | Ref) -> Sequence[int] | None:
        """Return the codes of a host's run, a step or a job; None for what does not exist."""
        if isinstance(key, StepRef):
            return self.steps.get(key)
        return self.jobs.get(key) if isinstance(key, JobRef) else self.hosts.get(key)

    def index_at(self, key: HostRun | Ref, at: float) -> int:
        """Return the index of the code at *at*, or of the oldest that a response may show; 0 before the first."""
        return max(0, bisect_right(self.since.get(key, ()), at - SLACK) - 1)

    def end_of(self, key: HostRun | Ref, index: int) -> float:
        """Return when the code at *index* was followed by the next; infinity where it was not."""
        since = self.since.get(key, ())
        return since[index + 1] if index + 1 < len(since) else inf

    def code_before(self, key: HostRun, at: float) -> int | None:
        """Return the last code of a host before *at*; None before its first."""
        codes, since = self.hosts[key], self.since.get(key)
        if since is None:
            return codes[-1] if codes else None
        index = bisect_right(since, at) - 1
        return codes[index] if index >= 0 else None

    def hosts_of(self, step: StepRef, execute_count: int) -> Sequence[HostRun]:
        """Return the hosts of one execution of a step."""
        return self._by_run.get((step, execute_count), ())

    def is_past(self, step: StepRef, execute_count: int, at: float) -> bool:
        """Return True if a later execution had begun by *at*."""
        return any(
            number > execute_count and begun <= at - SLACK
            for number, begun in self._begun.get(step, {}).items()
        )

    def steps_of(self, job: JobRef) -> Mapping[StepRef, Sequence[int]]:
        """Return the steps of a job with their codes."""
        return self._by_job.get(job, {})

    def endings(self, step: StepRef, code: int, index: int) -> Iterator[float]:
        """Yield the end of each period, from *index* on, in which a step had *code*."""
        for number, other in enumerate(self.steps.get(step, ())):
            if number >= index and other == code:
                yield self.end_of(step, number)

    def is_over(self, ref: Ref, begin: float, end: float) -> bool:
        """Return True if a job or step was over at any time from *begin* to *end*; needs *since*."""
        codes = self.codes(ref) or ()
        return any(
            run_status(code).is_finished
            and self.since[ref][index] <= end
            and self.end_of(ref, index) >= begin
            for index, code in enumerate(codes)
        )

    @cached_property
    def _by_run(self) -> Mapping[tuple[StepRef, int], Sequence[HostRun]]:
        found: dict[tuple[StepRef, int], list[HostRun]] = defaultdict(list)
        for key in self.hosts:
            found[key[0], key[1]].append(key)
        return found

    @cached_property
    def _begun(self) -> Mapping[StepRef, Mapping[int, float]]:
        found: dict[StepRef, dict[int, float]] = defaultdict(dict)
        for key, since in self.since.items():
            if isinstance(key, tuple) and since:
                step, number, _ = key
                found[step][number] = min(since[0], found[step].get(number, inf))
        return found

    @cached_property
    def _by_job(self) -> Mapping[JobRef, Mapping[StepRef, Sequence[int]]]:
        found: dict[JobRef, dict[StepRef, Sequence[int]]] = defaultdict(dict)
        for step, codes in self.steps.items():
            found[step.job][step] = codes
        return found


def truth_of(history: History) -> Truth:
    """Return the codes of everything in *history*, and their times."""
    moves = chain[tuple[HostRun | Ref, Iterable[tuple[float, int]]]](
        history.hosts.items(), history.steps.items(), history.jobs.items()
    )
    distinct = {key: tuple(distinct_changes(each)) for key, each in moves}
    return Truth(
        hosts={key: codes_of(distinct[key]) for key in history.hosts},
        steps={key: codes_of(distinct[key]) for key in history.steps},
        jobs={key: codes_of(distinct[key]) for key in history.jobs},
        since={key: tuple(at for at, _ in each) for key, each in distinct.items()},
        details=history.details,
    )


def distinct_changes(moves: Iterable[tuple[float, int]]) -> Iterator[tuple[float, int]]:
    """Yield the changes that lead to another code."""
    last = None
    for at, code in moves:
        if code != last:
            yield at, code
        last = code


def codes_of(moves: Iterable[tuple[float, int]]) -> tuple[int, ...]:
    """Return the codes of changes."""
    return tuple(code for _, code in moves)
