"""Compare the hosts of streams and results with the true history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bkjob_async.model.events import Batch, HostChanged
from bkjob_async.model.result import StepResult
from bkjob_async.model.status import host_status
from bkjob_async.simulator.world.history import HostRun
from bkjob_async.testing.truth import Truth

WAITING = 5  # a status code of hosts


def observed_codes(batches: Iterable[Batch]) -> dict[HostRun, list[int]]:
    """Return the observed codes of each host, in order, by (step, execute_count, label)."""
    seen: dict[HostRun, list[int]] = {}
    for batch in batches:
        for event in batch.events:
            if isinstance(event, HostChanged):
                run = (event.ref, event.execute_count, event.host.label)
                seen.setdefault(run, []).append(event.after.code)
    return seen


def details_error(
    truth: Truth, run: HostRun, code: int, tag: str | None, exit_code: int | None
) -> str | None:
    """Return the error in the tag and exit code of a host that ended with *code*; None for none.

    None is unknown, which is never wrong.
    """
    shown = truth.details.get(run, {}).get(code)
    if shown is None or any(tag in (None, t) and exit_code in (None, e) for t, e in shown):
        return None
    return f"shows tag {tag!r} and exit code {exit_code}, truly {sorted(shown, key=str)}"


def result_errors(step: StepResult, truth: Truth, index: int) -> list[str]:
    """Return the errors in the hosts of a finished step, whose end is not before *index* of its codes."""
    runs = truth.hosts_of(step.ref, step.execute_count)
    # A step that never started, or was left as it was, is over with its job only: its hosts have no ends.
    if not (step.is_finished and step.status.is_finished and step.hosts_visible and runs):
        return []
    candidates = [
        {run: truth.code_before(run, at) for run in runs}
        for at in truth.endings(step.ref, step.status.code, index)
    ]
    found: list[str] = []
    for ends in candidates:
        found = differences(step, truth, {run: code for run, code in ends.items() if code is not None})
        if not found:
            return []
    return found or [f"{step.ref} never was {step.status.code} after that"]


def differences(step: StepResult, truth: Truth, ends: dict[HostRun, int]) -> list[str]:
    """Return the differences between a result and the true ends of its hosts.

    The platform shows all hosts of a step as waiting before it begins; one whose batch was never started
    remains waiting.
    """
    problems = []
    failed = {
        run: each
        for each in (*step.failed, *step.unfinished)
        if (run := (step.ref, step.execute_count, each.host.label)) in ends or each.status.code != WAITING
    }
    # A host that never started may be missing.
    ends = {run: code for run, code in ends.items() if code != WAITING or run in failed}
    counts = Counter(host_status(code).phase for code in ends.values())
    counts[host_status(WAITING).phase] += len(step.failed) + len(step.unfinished) - len(failed)
    if +counts != Counter(step.hosts):
        problems.append(f"{step.ref} counts {dict(step.hosts)}, truly {dict(counts)}")
    bad = {run: code for run, code in ends.items() if not host_status(code).is_success}
    shown = {run: each.status.code for run, each in failed.items()}
    if shown != bad:
        problems.append(f"{step.ref} failed on {codes_by_label(shown)}, truly on {codes_by_label(bad)}")
    for run, each in failed.items():
        wrong = details_error(truth, run, each.status.code, each.tag, each.exit_code)
        if wrong:
            problems.append(f"{step.ref} {each.host} {wrong}")
    return problems


def codes_by_label(codes: dict[HostRun, int]) -> dict[str, int]:
    """Return codes by label."""
    return {label: code for (_, _, label), code in codes.items()}
