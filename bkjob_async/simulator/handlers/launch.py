"""Answers to launches: scripts, SQL, files, job plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from bkjob_async.simulator.handlers.context import RequestContext, refusal
from bkjob_async.simulator.handlers.launch_parameters import (
    SHELL,
    callback_of,
    file_inputs,
    inputs_of,
    rolling_of,
    script_of,
    sources_in,
)
from bkjob_async.simulator.handlers.plugin import refuse_local_files
from bkjob_async.simulator.handlers.targets import V2, V3, by_entry, listed, named, targets
from bkjob_async.simulator.protocol.requests import Asked, Refusal, missing
from bkjob_async.simulator.world import launch_outcomes as launch_fates
from bkjob_async.simulator.world.codes import CONFIRM, FILE, SCRIPT, SQL
from bkjob_async.simulator.world.inputs import Variable
from bkjob_async.simulator.world.plans import GREEN, Host, HostOutcome, JobPlan, StepPlan
from bkjob_async.simulator.world.script_outcome import NotUnderstoodError, fate_of

ACCOUNTS = ("account_id", "account_alias", "account", "db_account_id")
JOB_KINDS = {SCRIPT: 1, SQL: 1, FILE: 2}
HELP = (
    "the simulator cannot interpret this script ({}): give the launch fates with Simulator.set_launch_fates, "
    "POST /_control/launch_fates or SiteConfig(fates=...), or write it with echo, sleep, exit, true, false, "
    "job_success, job_fail, ';', '&&' and '||'"
)


def launch(kind: int, title: str) -> Callable[[RequestContext, Asked], dict[str, Any]]:
    """Return what answers the launch of a single step of a *kind*."""

    def answer(desk: RequestContext, asked: Asked) -> dict[str, Any]:
        scope = desk.scope(asked)
        if not any(asked.parameters.get(name) for name in ACCOUNTS):
            raise missing("account_alias")
        language = SHELL
        if kind == FILE:
            if asked.operation == "bkci_plugin_fast_transfer_file":
                refuse_local_files(asked)
            content, inputs = file_inputs(asked)
        else:
            content, language, version = script_of(desk, asked, kind)
            inputs = inputs_of(asked, language=language, script_version_id=version.id if version else None)
        chosen = targets(asked)
        name = (
            asked.text("task_name")
            or asked.text("name")
            or f"{title} {desk.epoch_ms + round(desk.now * 1000)}"
        )
        step = StepPlan(
            name=name,
            kind=kind,
            hosts=chosen,
            rolling=rolling_of(asked, len(chosen), sources=sources_in(inputs)),
            content=content,
            inputs=inputs,
        )
        plan = JobPlan(name=name, steps=(step,), scope=scope, kind=JOB_KINDS[kind], **common(desk, asked))
        return launched(desk, asked, plan, language=language)

    return answer


def execute_plan(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Launch a job plan that the site has; host variables replace the hosts of its steps."""
    scope = desk.scope(asked)
    number = asked.id("bk_job_id" if asked.dialect == "esb-job" else "job_plan_id")
    plan = desk.site.plans.get(number)
    if plan is None:
        raise refusal(1244012)
    given = variable_hosts(asked)
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
        variables=tuple(with_value(variable, asked) for variable in plan.variables),
        **common(desk, asked),
    )
    return launched(desk, asked, job, language=None)


def launched(desk: RequestContext, asked: Asked, plan: JobPlan, *, language: int | None) -> dict[str, Any]:
    """Create the job with the fates of its hosts, and tell its ids as the dialect does; None is a plan's language."""
    fates = launch_fates.pick(desk.site.launch_fates, plan.name)
    if fates is not None:
        try:
            plan = launch_fates.with_fates(plan, fates)
        except KeyError as error:
            raise refusal(
                1241012, f"the fates of this launch name a host that it does not have: {error}"
            ) from None
        launch_fates.use_up(desk.site.launch_fates, fates)
    elif language is not None:
        plan = evolve(plan, steps=(with_outcome(desk, plan.steps[0], language),))
    ref = desk.world.add(plan)
    answer: dict[str, Any] = {"job_instance_id": ref.job_instance_id, "job_instance_name": plan.name}
    if asked.dialect == "esb-job" and desk.site.classic:
        return answer
    job = desk.world.job(ref.job_instance_id)
    step_id = job.steps[0].id if language is not None and job is not None else None
    if asked.dialect == "gateway-v4" and step_id is None:
        return answer
    return {**answer, "step_instance_id": step_id}


def with_outcome(desk: RequestContext, step: StepPlan, language: int) -> StepPlan:
    """Return a launched step with the fates of the site, else with what its script says; files and SQL succeed."""
    fates: tuple[HostOutcome, ...] = desk.site.fates or (GREEN,)
    if desk.site.fates is None and step.kind == SCRIPT:
        fates = (interpreted(step.content, language),)
    return evolve(step, fates=fates, retry_fates=fates)


def interpreted(script: str, language: int) -> HostOutcome:
    """Return what a script says; refuse one that the simulator cannot interpret, and say what to do."""
    if language != SHELL:
        raise not_understood("it is no shell script")
    try:
        return fate_of(script)
    except NotUnderstoodError as error:
        raise not_understood(str(error)) from None


def not_understood(reason: str) -> Refusal:
    """Return the refusal that no real platform has: it would just run the script."""
    return refusal(1241012, HELP.format(reason))


def common(desk: RequestContext, asked: Asked) -> dict[str, Any]:
    """Return what every launch may say."""
    start = asked.parameters.get("start_task")
    return {
        "operator": asked.user,
        "callback_url": callback_of(desk, asked),
        "start_task": True if start is None else asked.flag("start_task"),
    }


def variables_of(asked: Asked) -> list[dict[str, Any]]:
    """Return the global variables of a launch, in either spelling."""
    given = asked.parameters.get("global_var_list", asked.parameters.get("global_vars"))
    return [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []


def with_value(variable: Variable, asked: Asked) -> Variable:
    """Return a variable with the value that a launch gives it, by id or by name."""
    for entry in variables_of(asked):
        if entry.get("id") == variable.id or entry.get("name") == variable.name:
            return evolve(variable, value=str(entry.get("value") or variable.value))
    return variable


def variable_hosts(asked: Asked) -> tuple[Host, ...]:
    """Return the hosts that variables name, in either spelling."""
    names = V2 if asked.dialect == "esb-job" else V3
    found: dict[Host, None] = {}
    for variable in variables_of(asked):
        for key in ("server", "target_server"):
            if isinstance(variable.get(key), dict):
                found.update(dict.fromkeys(named(variable[key], names)))
        found.update((by_entry(entry, "ip_list"), None) for entry in listed(variable, "ip_list"))
    return tuple(found)
