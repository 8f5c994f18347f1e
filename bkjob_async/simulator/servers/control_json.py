"""The JSON of the control API: host outcomes, launches, jobs, histories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkjob_async.simulator.world.history import History
from bkjob_async.simulator.world.launch_outcomes import LaunchOutcomes
from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, HostOutcome, exactly
from bkjob_async.simulator.world.records import Job

OUTCOME_FIELDS = ("status", "tag", "exit_code", "log", "duration")
LAUNCH_FIELDS = ("hosts", "others", "name", "times")


def outcome_from(given: Mapping[str, Any], default: HostOutcome) -> HostOutcome:
    """Return an outcome, by default *default*; a status of null never ends, *duration* is seconds; ValueError."""
    refuse_unknown(given, OUTCOME_FIELDS)
    status = given.get("status", default.status)
    exit_code = given.get("exit_code", default.exit_code)
    return HostOutcome(
        status=None if status is None else int(status),
        tag=str(given.get("tag", "")),
        exit_code=None if exit_code is None else int(exit_code),
        log=str(given.get("log", default.log)),
        duration=exactly(float(given["duration"])) if "duration" in given else default.duration,
    )


def launch_outcomes_from(given: Mapping[str, Any]) -> LaunchOutcomes:
    """Return outcomes for launches; one with another status than 9 is based on a failed one; ValueError."""
    refuse_unknown(given, LAUNCH_FIELDS)
    times, name = given.get("times", 1), given.get("name")
    if times is not None and int(times) < 1:
        raise ValueError("times is 1 or more, or null for all launches")
    return LaunchOutcomes(
        hosts={
            str(label): launched_outcome(outcome) for label, outcome in dict(given.get("hosts") or {}).items()
        },
        others=launched_outcome(given.get("others") or {}),
        name=None if name is None else str(name),
        times=None if times is None else int(times),
    )


def launched_outcome(given: Mapping[str, Any]) -> HostOutcome:
    """Return the outcome of a host of a launch."""
    return outcome_from(given, SUCCEEDS if given.get("status", SUCCEEDS.status) == SUCCEEDS.status else FAILS)


def refuse_unknown(given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raise ValueError for an unknown key: it may be a misspelt one."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"unknown: {', '.join(map(str, unknown))}; there are: {', '.join(names)}")


def launch_outcomes_json(outcomes: LaunchOutcomes) -> dict[str, Any]:
    """Return outcomes set for launches as JSON values."""
    return {
        "hosts": {
            label: {"status": outcome.status, "tag": outcome.tag} for label, outcome in outcomes.hosts.items()
        },
        "others": {"status": outcomes.others.status, "tag": outcomes.others.tag},
        "name": outcomes.name,
        "times": outcomes.times,
    }


def job_json(job: Job) -> dict[str, Any]:
    """Return the present state of one job as JSON values."""
    steps = [
        {"step_instance_id": step.id, "status": step.status, "execute_count": step.execute_count}
        for step in job.steps
    ]
    return {"job_instance_id": job.id, "scope": str(job.ref.scope), "status": job.status, "steps": steps}


def history_json(history: History) -> dict[str, Any]:
    """Return the (time, code) of every host, step and job."""
    hosts = [
        {
            "job_instance_id": ref.job_instance_id,
            "step_instance_id": ref.step_instance_id,
            "execute_count": run,
            "host": label,
            "moves": moves,
        }
        for (ref, run, label), moves in history.hosts.items()
    ]
    return {
        "jobs": {str(ref.job_instance_id): moves for ref, moves in history.jobs.items()},
        "steps": {str(ref.step_instance_id): moves for ref, moves in history.steps.items()},
        "hosts": hosts,
    }
