"""The control API: controls time, hosts and faults, for tests in any language."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from attrs import frozen

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.refs import Scope
from bkjob_async.simulator.faults.faults import FAULTS, ActiveFault, fault_json, fault_named
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
from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.records import Step
from bkjob_async.simulator.world.scenarios import SCENARIOS, scenario_by_name

CONTROL_PATH = "/_control"


@frozen
class ControlRequest:
    """One control request: the platform, its clock, and the parameters."""

    platform: Platform
    clock: WorldClock
    parameters: dict[str, Any]

    def step(self) -> Step:
        """Return the named step; KeyError for none."""
        job = self.platform.world.jobs[int(self.parameters["job_instance_id"])]
        wanted = self.parameters.get("step_instance_id")
        step = job.current_step if wanted is None else job.step(int(wanted))
        if step is None:
            raise KeyError("step_instance_id")
        return step


Action = Callable[[ControlRequest], Any]


def clock_state(request: ControlRequest) -> dict[str, Any]:
    """Return the time, its speed, and how many jobs there are."""
    world = request.platform.world
    return {
        "now": request.clock.now(),
        "paused": request.clock.is_paused,
        "speed": request.clock.speed,
        "seed": world.seed,
        "jobs": len(world.jobs),
        "next_at": world.next_at,
        "request_counts": {
            f"{dialect}/{name}": count for (dialect, name), count in request.platform.request_counts.items()
        },
    }


def jobs(request: ControlRequest) -> list[dict[str, Any]]:
    """Return all jobs."""
    return [job_json(job) for job in request.platform.world.jobs.values()]


def history(request: ControlRequest) -> dict[str, Any]:
    """Return the true history: (time, code) of every host, step and job."""
    wanted = request.parameters.get("job_instance_id")
    refs = None if wanted is None else [request.platform.world.jobs[int(wanted)].ref]
    recorded = request.platform.world.history(refs)
    return history_json(recorded)


def advance(request: ControlRequest) -> dict[str, Any]:
    """Advance time."""
    request.platform.world.advance(request.clock.advance(float(request.parameters["seconds"])))
    return clock_state(request)


def pause(request: ControlRequest) -> dict[str, Any]:
    """Pause time."""
    request.clock.pause()
    return clock_state(request)


def resume(request: ControlRequest) -> dict[str, Any]:
    """Resume time."""
    request.clock.resume()
    return clock_state(request)


def add_job(request: ControlRequest) -> list[dict[str, Any]]:
    """Add a scenario's jobs, or one job: `{"scenario"}` or `{"name", "biz", "steps": [{"hosts", "kind", "fail"}]}`."""
    world, parameters = request.platform.world, request.parameters
    before = set(world.jobs)
    if "scenario" in parameters:
        scenario_by_name(str(parameters["scenario"])).add_to(world)
    else:
        steps = tuple(
            StepPlan(
                kind=int(step.get("kind", 1)),
                hosts=int(step.get("hosts", 3)),
                pinned=dict.fromkeys(map(int, step.get("fail", ())), FAILS),
            )
            for step in parameters.get("steps") or [{}]
        )
        scope = Scope.biz(int(parameters.get("biz", 2)))
        plan = SimulatedJob(
            name=str(parameters.get("name", "job")),
            steps=steps,
            scope=scope,
            callback_url=parameters.get("callback_url"),
        )
        world.add(plan)
    return [job_json(job) for number, job in world.jobs.items() if number not in before]


def end_host(request: ControlRequest, *, usual: HostOutcome) -> dict[str, Any]:
    """End a host now, with the outcome of the request, by default *usual*."""
    step = request.step()
    names = {name: request.parameters[name] for name in OUTCOME_FIELDS if name in request.parameters}
    request.platform.world.end_host(step, str(request.parameters["host"]), outcome_from(names, usual))
    return job_json(step.job)


def launch_outcomes(request: ControlRequest) -> list[dict[str, Any]]:
    """Return the outcomes set for launches."""
    return [launch_outcomes_json(outcomes) for outcomes in request.platform.site.launch_outcomes]


def add_launch_outcomes(request: ControlRequest) -> list[dict[str, Any]]:
    """Set the outcomes of the next launches: `{"hosts": {"0:10.0.0.2": {"status": 104}}, "others": {}, "name", "times"}`."""
    request.platform.site.launch_outcomes.append(launch_outcomes_from(request.parameters))
    return launch_outcomes(request)


def clear_launch_outcomes(request: ControlRequest) -> list[dict[str, Any]]:
    """Remove all outcomes set for launches."""
    request.platform.site.launch_outcomes.clear()
    return launch_outcomes(request)


def faults(request: ControlRequest) -> dict[str, Any]:
    """Return the injected faults, and the names of all faults."""
    return {"active": [fault_json(active) for active in request.platform.faults], "names": list(FAULTS)}


def add_fault(request: ControlRequest) -> dict[str, Any]:
    """Inject a fault: `{"name", "share", "times", "operations", "jobs"}`."""
    parameters = request.parameters
    operations, numbers, times = parameters.get("operations"), parameters.get("jobs"), parameters.get("times")
    request.platform.faults.append(
        ActiveFault(
            fault_named(str(parameters["name"])),
            float(parameters.get("share", 1.0)),
            None if times is None else int(times),
            None if operations is None else frozenset(map(str, operations)),
            None if numbers is None else frozenset(map(int, numbers)),
        )
    )
    return faults(request)


def end_faults(request: ControlRequest) -> dict[str, Any]:
    """End all faults, or those of one name."""
    name = request.parameters.get("name")
    kept = [active for active in request.platform.faults if name is not None and active.fault.name != name]
    request.platform.faults[:] = kept
    return faults(request)


def set_rate_limit(request: ControlRequest) -> dict[str, Any]:
    """Allow so many requests per window of whole seconds; without a limit, all."""
    limit = request.parameters.get("limit")
    window = int(request.parameters.get("window", 1))
    request.platform.rate_limit = None if limit is None else RateLimit(int(limit), window)
    return {"limit": limit, "window": window}


def scenarios(_request: ControlRequest) -> dict[str, str]:
    """Return all scenarios."""
    return {name: scenario.summary for name, scenario in SCENARIOS.items()}


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", ""): clock_state,
    ("GET", "jobs"): jobs,
    ("POST", "jobs"): add_job,
    ("GET", "history"): history,
    ("GET", "scenarios"): scenarios,
    ("POST", "advance"): advance,
    ("POST", "pause"): pause,
    ("POST", "resume"): resume,
    ("POST", "finish_host"): partial(end_host, usual=SUCCEEDS),
    ("POST", "fail_host"): partial(end_host, usual=FAILS),
    ("GET", "launch_outcomes"): launch_outcomes,
    ("POST", "launch_outcomes"): add_launch_outcomes,
    ("DELETE", "launch_outcomes"): clear_launch_outcomes,
    ("GET", "faults"): faults,
    ("POST", "faults"): add_fault,
    ("DELETE", "faults"): end_faults,
    ("POST", "rate_limit"): set_rate_limit,
}


def control(platform: Platform, clock: WorldClock, http_request: HttpRequest) -> HttpResponse:
    """Handle a control request; respond with 400 and the reason, or 404, to an invalid one."""
    name = http_request.url.path.removeprefix(CONTROL_PATH).strip("/")
    action = ACTIONS.get((http_request.method, name))
    if action is None:
        known = sorted(f"{method} {CONTROL_PATH}/{path}" for method, path in ACTIONS)
        return json_response(404, {"error": f"no such control: {http_request.method} {name}", "known": known})
    platform.world.advance(clock.now())
    try:
        parameters = (
            msgspec.json.decode(http_request.body) if http_request.body else dict(http_request.url.query)
        )
        return json_response(200, action(ControlRequest(platform, clock, parameters)))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return json_response(400, {"error": f"{type(error).__name__}: {error}"})


def json_response(status: int, value: Any) -> HttpResponse:
    """Return a response of the control API."""
    return HttpResponse(
        status=status, headers={"content-type": "application/json"}, body=msgspec.json.encode(value)
    )
