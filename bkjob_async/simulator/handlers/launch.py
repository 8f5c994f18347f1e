"""Handle launches: scripts, SQL, files, job plans."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.handlers.launch_parameters import (
    SHELL,
    callback_of,
    file_inputs,
    inputs_of,
    require_no_local_files,
    rolling_of,
    script_of,
    sources_in,
)
from bkjob_async.simulator.handlers.targets import V2, V3, by_entry, hosts_in, optional_list, targets
from bkjob_async.simulator.protocol.api_errors import ApiError, api_error, missing_parameter
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world import launch_outcomes
from bkjob_async.simulator.world.codes import CONFIRM, FILE, SCRIPT, SQL
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import SUCCEEDS, HostOutcome, SimulatedJob, SimulatedVariable, StepPlan
from bkjob_async.simulator.world.script_outcome import UnsupportedScriptError, script_outcome

ACCOUNTS = ("account_id", "account_alias", "account", "db_account_id")
JOB_KINDS = {SCRIPT: 1, SQL: 1, FILE: 2}
UNSUPPORTED_SCRIPT_HELP = (
    "the simulator cannot interpret this script ({}): give the launch outcomes with Simulator.set_launch_outcomes, "
    "POST /_control/launch_outcomes or SiteConfig(outcomes=...), or write it with echo, sleep, exit, true, false, "
    "job_success, job_fail, ';', '&&' and '||'"
)


def launch(context: RequestContext, request: ParsedRequest, *, kind: int, title: str) -> dict[str, Any]:
    """Launch a single step of a *kind*; a job without a name has the *title* and the time."""
    scope = context.scope(request)
    if not any(request.parameters.get(name) for name in ACCOUNTS):
        raise missing_parameter("account_alias")
    language = SHELL
    if kind == FILE:
        if request.operation == "bkci_plugin_fast_transfer_file":
            require_no_local_files(request)
        content, inputs = file_inputs(request)
    else:
        content, language, version = script_of(context, request, kind)
        inputs = inputs_of(request, language=language, script_version_id=version.id if version else None)
    chosen = targets(request, legacy_esb=context.site.legacy_esb)
    name = (
        request.text("task_name")
        or request.text("name")
        or f"{title} {context.epoch_ms + round(context.now * 1000)}"
    )
    step = StepPlan(
        name=name,
        kind=kind,
        hosts=chosen,
        rolling=rolling_of(request, len(chosen), sources=sources_in(inputs)),
        content=content,
        inputs=inputs,
    )
    plan = SimulatedJob(
        name=name, steps=(step,), scope=scope, kind=JOB_KINDS[kind], **common_fields(context, request)
    )
    return create_job(context, request, plan, language=language)


def execute_plan(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Launch a job plan of the site; host variables replace the hosts of its steps."""
    scope = context.scope(request)
    number = request.id("bk_job_id" if request.dialect == "esb-job" else "job_plan_id")
    plan = context.plan(number, code=1244012)
    given = variable_hosts(request)
    steps = tuple(
        evolve(step, hosts=given) if given and step.kind != CONFIRM else step for step in plan.steps
    )
    job = evolve(
        plan,
        steps=steps,
        scope=scope,
        plan_id=number,
        kind=0,
        created=0.0,
        variables=tuple(with_value(variable, request) for variable in plan.variables),
        **common_fields(context, request),
    )
    return create_job(context, request, job, language=None)


def create_job(
    context: RequestContext, request: ParsedRequest, plan: SimulatedJob, *, language: int | None
) -> dict[str, Any]:
    """Create the job with the outcomes of its hosts, and return its ids in the dialect's names."""
    outcomes = launch_outcomes.pick(context.site.launch_outcomes, plan.name)
    if outcomes is not None:
        try:
            plan = launch_outcomes.with_launch_outcomes(plan, outcomes)
        except KeyError as error:
            raise api_error(
                1241012, f"the outcomes of this launch name a host that it does not have: {error}"
            ) from None
        launch_outcomes.use_up(context.site.launch_outcomes, outcomes)
    elif language is not None:
        plan = evolve(plan, steps=(with_outcome(context, plan.steps[0], language),))
    ref = context.world.add(plan)
    answer: dict[str, Any] = {"job_instance_id": ref.job_instance_id, "job_instance_name": plan.name}
    if request.dialect == "esb-job" and context.site.legacy_esb:
        return answer
    job = context.world.job(ref.job_instance_id)
    step_id = job.steps[0].id if language is not None and job is not None else None
    if request.dialect == "gateway-v4" and step_id is None:
        return answer
    return {**answer, "step_instance_id": step_id}


def with_outcome(context: RequestContext, step: StepPlan, language: int) -> StepPlan:
    """Return a launched step with the outcomes of the site, else of its script; files and SQL succeed."""
    outcomes: tuple[HostOutcome, ...] = context.site.outcomes or (SUCCEEDS,)
    if context.site.outcomes is None and step.kind == SCRIPT:
        outcomes = (interpret(step.content, language),)
    return evolve(step, outcomes=outcomes, retry_outcomes=outcomes)


def interpret(script: str, language: int) -> HostOutcome:
    """Return the outcome of a script; raise `ApiError` for one that the simulator cannot interpret."""
    if language != SHELL:
        raise unsupported_script("it is no shell script")
    try:
        return script_outcome(script)
    except UnsupportedScriptError as error:
        raise unsupported_script(str(error)) from None


def unsupported_script(reason: str) -> ApiError:
    """Return an error that no real platform has: that would run the script."""
    return api_error(1241012, UNSUPPORTED_SCRIPT_HELP.format(reason))


def common_fields(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Return the parameters that every launch may have."""
    start = request.parameters.get("start_task")
    return {
        "operator": request.user,
        "callback_url": callback_of(context, request),
        "start_task": True if start is None else request.flag("start_task"),
    }


def variables_of(request: ParsedRequest) -> list[dict[str, Any]]:
    """Return the global variables of a launch, in either spelling."""
    given = request.parameters.get("global_var_list", request.parameters.get("global_vars"))
    return [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []


def with_value(variable: SimulatedVariable, request: ParsedRequest) -> SimulatedVariable:
    """Return a variable with its value in a launch, by id or by name."""
    for entry in variables_of(request):
        if entry.get("id") == variable.id or entry.get("name") == variable.name:
            return evolve(variable, value=str(entry.get("value") or variable.value))
    return variable


def variable_hosts(request: ParsedRequest) -> tuple[Host, ...]:
    """Return the hosts that variables name, in either spelling."""
    names = V2 if request.dialect == "esb-job" else V3
    found: dict[Host, None] = {}
    for variable in variables_of(request):
        for key in ("server", "target_server"):
            if isinstance(variable.get(key), dict):
                found.update(dict.fromkeys(hosts_in(variable[key], names)))
        found.update((by_entry(entry, "ip_list"), None) for entry in optional_list(variable, "ip_list"))
    return tuple(found)
