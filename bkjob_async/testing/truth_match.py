"""Match the statuses that a stream reports with the true history."""

from __future__ import annotations

from attrs import define, field

from bkjob_async.model.events import Finished, HostChanged, JobChanged, StepChanged, StepWaiting
from bkjob_async.model.refs import Ref
from bkjob_async.simulator.world.history import HostRun
from bkjob_async.testing.checker_state import WatchStarts
from bkjob_async.testing.results import details_error, result_errors
from bkjob_async.testing.truth import Truth

WAITING_USER = 7


@define
class TruthMatcher:
    """Finds each reported status in the true history, in order, from when its target came to be watched."""

    truth: Truth
    watch_starts: WatchStarts
    # The place of the last match in the true codes, by host, step or job.
    _places: dict[HostRun | Ref, int] = field(factory=dict)
    # The place of the last wait of each step that was reported.
    _waits: dict[Ref, int] = field(factory=dict)

    def has_matched(self, key: HostRun | Ref) -> bool:
        """Return True if a status of a host, step or job was matched before."""
        return key in self._places

    def forget(self, ref: Ref) -> None:
        """Forget what was matched of *ref* and its hosts: it is watched again from another time on."""
        for key in [key for key in self._places if ref in (key, key[0] if isinstance(key, tuple) else key)]:
            del self._places[key]
        self._waits.pop(ref, None)

    def change_error(self, event: StepChanged | JobChanged) -> str | None:
        """Match the status of a step or job; return what is wrong with it, None for nothing."""
        return self._match(event.ref, event.ref, event.after.code)

    def wait_error(self, event: StepWaiting) -> str | None:
        """Match a wait of a step with one that was not reported before; return what is wrong with it, None for nothing."""
        ref, codes = event.ref, self.truth.codes(event.ref) or ()
        start, last = self._last_place(ref, ref), self._waits.get(ref, -1)
        for place in range(max(start, last + (not event.skipped)), len(codes)):
            if codes[place] == WAITING_USER:
                self._places[ref] = self._waits[ref] = place
                return None
        return f"is no wait of its own after what was reported before: {list(codes)}"

    def host_errors(self, event: HostChanged) -> list[str]:
        """Match the status of a host; return what is wrong with it, its tag and its exit code."""
        run = (event.ref, event.execute_count, event.host.label)
        started = self.watch_starts.at(event.ref)
        found: list[str | None] = []
        if run not in self._places and started is not None and self.truth.is_past(*run[:2], started):
            found.append("of an execution that was past when it joined")
        found.append(self._match(run, event.ref, event.after.code))
        found.append(details_error(self.truth, run, event.after.code, event.tag, event.exit_code))
        return [error for error in found if error]

    def result_errors(self, event: Finished) -> list[str]:
        """Return what is wrong with the hosts of a result."""
        return [
            error
            for step in event.result.steps
            for error in result_errors(step, self.truth, self._last_place(step.ref, step.ref))
        ]

    def final_codes(self, run: HostRun, status: int) -> set[int | None]:
        """Return the codes of which one must be the last that was reported of a host, its step being over in *status*."""
        step = run[0]
        endings = self.truth.endings(step, status, self._places.get(step, 0))
        return {self.truth.code_before(run, at) for at in endings} or {self.truth.hosts[run][-1]}

    def _last_place(self, key: HostRun | Ref, ref: Ref) -> int:
        """Return the place of the last match, at first that of the code when *ref* came to be watched."""
        known = self._places.get(key)
        if known is not None:
            return known
        started = self.watch_starts.at(ref)
        return 0 if started is None else self.truth.index_at(key, started)

    def _match(self, key: HostRun | Ref, ref: Ref, code: int) -> str | None:
        """Find *code* in the true codes, not before the last match; return the error if it is not there."""
        codes = self.truth.codes(key)
        if codes is None:
            return "of something that does not exist"
        # The same place may match again: a status that is first reported as passing and then as final.
        start = self._last_place(key, ref)
        found = next((n for n in range(start, len(codes)) if codes[n] == code), None)
        if found is not None:
            self._places[key] = found
            return None
        if key not in self._places and code in codes:
            return f"was so no more when it came to be watched: {list(codes)}"
        return f"never happened after what was reported before: {list(codes)}"
