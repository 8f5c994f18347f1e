"""The control API: a hand on time, hosts, faults, for tests in any language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from attrs import frozen

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.refs import Scope
from bkjob_async.simulator.faults.faults import FAULTS, ActiveFault, described, fault_named
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.servers.control_json import (
    OUTCOME_FIELDS,
    history_json,
    job_json,
    launch_outcomes_from,
    launch_outcomes_json,
    outcome_from,
)
from bkjob_async.simulator.world.plans import FAILS, HostOutcome, JobPlan, StepPlan
from bkjob_async.simulator.world.records import Step
from bkjob_async.simulator.world.scenarios import SCENARIOS, scenario_by_name

CONTROL_PATH = "/_control"


@frozen
class ControlRequest:
    """What one control request holds: the platform, its clock, and what was said."""

    platform: Platform
    clock: WorldClock
    given: dict[str, Any]

    def step(self) -> Step:
        """Return the step that is named; KeyError for none."""
        job = self.platform.world.jobs[int(self.given["job_instance_id"])]
        wanted = self.given.get("step_instance_id")
        step = job.current_step if wanted is None else job.step(int(wanted))
        if step is None:
            raise KeyError("step_instance_id")
        return step


Act = Callable[[ControlRequest], Any]


def state(hand: ControlRequest) -> dict[str, Any]:
    """Tell the time, how it passes, and how much there is."""
    world = hand.platform.world
    return {
        "now": hand.clock.now(),
        "paused": hand.clock.is_paused,
        "speed": hand.clock.speed,
        "seed": world.seed,
        "jobs": len(world.jobs),
        "next_at": world.next_at,
        "request_counts": {
            f"{dialect}/{name}": count for (dialect, name), count in hand.platform.request_counts.items()
        },
    }


def jobs(hand: ControlRequest) -> list[dict[str, Any]]:
    """Tell the jobs there are."""
    return [job_json(job) for job in hand.platform.world.jobs.values()]


def history(hand: ControlRequest) -> dict[str, Any]:
    """Tell what really happened: (time, code) of every host, step and job."""
    wanted = hand.given.get("job_instance_id")
    refs = None if wanted is None else [hand.platform.world.jobs[int(wanted)].ref]
    told = hand.platform.world.history(refs)
    return history_json(told)


def advance(hand: ControlRequest) -> dict[str, Any]:
    """Move time on by hand."""
    hand.platform.world.advance(hand.clock.advance(float(hand.given["seconds"])))
    return state(hand)


def pause(hand: ControlRequest) -> dict[str, Any]:
    """Stop time."""
    hand.clock.pause()
    return state(hand)


def resume(hand: ControlRequest) -> dict[str, Any]:
    """Let time pass again."""
    hand.clock.resume()
    return state(hand)


def add_job(hand: ControlRequest) -> list[dict[str, Any]]:
    """Add a scenario's jobs, or one job: `{"scenario"}` or `{"name", "biz", "steps": [{"hosts", "kind", "fail"}]}`."""
    world, given = hand.platform.world, hand.given
    before = set(world.jobs)
    if "scenario" in given:
        scenario_by_name(str(given["scenario"])).fill(world)
    else:
        steps = tuple(
            StepPlan(
                kind=int(step.get("kind", 1)),
                hosts=int(step.get("hosts", 3)),
                pinned=dict.fromkeys(map(int, step.get("fail", ())), FAILS),
            )
            for step in given.get("steps") or [{}]
        )
        scope = Scope.biz(int(given.get("biz", 2)))
        plan = JobPlan(
            name=str(given.get("name", "job")),
            steps=steps,
            scope=scope,
            callback_url=given.get("callback_url"),
        )
        world.add(plan)
    return [job_json(job) for number, job in world.jobs.items() if number not in before]


def finish_host(hand: ControlRequest) -> dict[str, Any]:
    """End a host well, or with the status given."""
    return end_host(hand, HostOutcome())


def fail_host(hand: ControlRequest) -> dict[str, Any]:
    """End a host badly, with status 104 or the one given."""
    return end_host(hand, FAILS)


def end_host(hand: ControlRequest, usual: HostOutcome) -> dict[str, Any]:
    """End a host now, as *usual* or as the request says."""
    step = hand.step()
    names = {name: hand.given[name] for name in OUTCOME_FIELDS if name in hand.given}
    hand.platform.world.end_host(step, str(hand.given["host"]), outcome_from(names, usual))
    return job_json(step.job)


def launch_outcomes(hand: ControlRequest) -> list[dict[str, Any]]:
    """Tell the outcomes that wait for launches."""
    return [launch_outcomes_json(outcomes) for outcomes in hand.platform.site.launch_outcomes]


def add_launch_outcomes(hand: ControlRequest) -> list[dict[str, Any]]:
    """Give the next launches outcomes: `{"hosts": {"0:10.0.0.2": {"status": 104}}, "others": {}, "name", "times"}`."""
    hand.platform.site.launch_outcomes.append(launch_outcomes_from(hand.given))
    return launch_outcomes(hand)


def clear_launch_outcomes(hand: ControlRequest) -> list[dict[str, Any]]:
    """Take back all outcomes that wait for launches."""
    hand.platform.site.launch_outcomes.clear()
    return launch_outcomes(hand)


def faults(hand: ControlRequest) -> dict[str, Any]:
    """Tell the faults at work, and the names of all there are."""
    return {"active": [described(active) for active in hand.platform.faults], "names": list(FAULTS)}


def add_fault(hand: ControlRequest) -> dict[str, Any]:
    """Put a fault to work: `{"name", "share", "times", "operations", "jobs"}`."""
    given = hand.given
    operations, numbers, times = given.get("operations"), given.get("jobs"), given.get("times")
    hand.platform.faults.append(
        ActiveFault(
            fault_named(str(given["name"])),
            float(given.get("share", 1.0)),
            None if times is None else int(times),
            None if operations is None else frozenset(map(str, operations)),
            None if numbers is None else frozenset(map(int, numbers)),
        )
    )
    return faults(hand)


def end_faults(hand: ControlRequest) -> dict[str, Any]:
    """End all faults, or those of one name."""
    name = hand.given.get("name")
    kept = [active for active in hand.platform.faults if name is not None and active.fault.name != name]
    hand.platform.faults[:] = kept
    return faults(hand)


def set_rate_limit(hand: ControlRequest) -> dict[str, Any]:
    """Let so many requests pass per window of whole seconds; without a limit, all."""
    limit = hand.given.get("limit")
    window = int(hand.given.get("window", 1))
    hand.platform.rate_limit = None if limit is None else RateLimit(int(limit), window)
    return {"limit": limit, "window": window}


def scenarios(_hand: ControlRequest) -> dict[str, str]:
    """Tell the scenarios there are."""
    return {name: make().summary for name, make in SCENARIOS.items()}


ACTS: dict[tuple[str, str], Act] = {
    ("GET", ""): state,
    ("GET", "jobs"): jobs,
    ("POST", "jobs"): add_job,
    ("GET", "history"): history,
    ("GET", "scenarios"): scenarios,
    ("POST", "advance"): advance,
    ("POST", "pause"): pause,
    ("POST", "resume"): resume,
    ("POST", "finish_host"): finish_host,
    ("POST", "fail_host"): fail_host,
    ("GET", "launch_outcomes"): launch_outcomes,
    ("POST", "launch_outcomes"): add_launch_outcomes,
    ("DELETE", "launch_outcomes"): clear_launch_outcomes,
    ("GET", "faults"): faults,
    ("POST", "faults"): add_fault,
    ("DELETE", "faults"): end_faults,
    ("POST", "rate_limit"): set_rate_limit,
}


def control(platform: Platform, clock: WorldClock, request: HttpRequest) -> HttpResponse:
    """Do what a control request says; answer 400 and why, or 404, for one that makes no sense."""
    name = request.url.path.removeprefix(CONTROL_PATH).strip("/")
    act = ACTS.get((request.method, name))
    if act is None:
        known = sorted(f"{method} {CONTROL_PATH}/{path}" for method, path in ACTS)
        return said(404, {"error": f"no such control: {request.method} {name}", "known": known})
    platform.world.advance(clock.now())
    try:
        given = msgspec.json.decode(request.body) if request.body else dict(request.url.query)
        return said(200, act(ControlRequest(platform, clock, given)))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return said(400, {"error": f"{type(error).__name__}: {error}"})


def said(status: int, value: Any) -> HttpResponse:
    """Return a control answer."""
    return HttpResponse(
        status=status, headers={"content-type": "application/json"}, body=msgspec.json.encode(value)
    )
