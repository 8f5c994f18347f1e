"""Answers to launches: scripts, SQL, files, job plans."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from attrs import evolve

from bkjob_async.simulator.asking import Asked, missing
from bkjob_async.simulator.desk import Desk, refusal
from bkjob_async.simulator.targets import by_entry, listed, named, targets
from bkjob_async.simulator.world_codes import CONFIRM, FILE, SCRIPT, SQL
from bkjob_async.simulator.world_fleet import rolling_sizes
from bkjob_async.simulator.world_plans import Host, JobPlan, Rolling, StepPlan
from bkjob_async.simulator.world_scripts import fate_of

ACCOUNTS = ("account_id", "account_alias", "account", "db_account_id")
JOB_KINDS = {SCRIPT: 1, SQL: 1, FILE: 2}


def launch(kind: int, title: str) -> Callable[[Desk, Asked], dict[str, Any]]:
    """Return what answers the launch of a single step of a *kind*."""

    def answer(desk: Desk, asked: Asked) -> dict[str, Any]:
        scope = desk.scope(asked)
        if not any(asked.parameters.get(name) for name in ACCOUNTS):
            raise missing("account_alias")
        content = sent_files(asked) if kind == FILE else script_of(asked)
        chosen = targets(asked)
        name = (
            asked.text("task_name")
            or asked.text("name")
            or f"{title} {desk.epoch_ms + round(desk.now * 1000)}"
        )
        fates = desk.site.fates
        if kind != FILE:
            fates = tuple(fate_of(content, fate) for fate in fates)
        step = StepPlan(
            name=name,
            kind=kind,
            hosts=chosen,
            fates=fates,
            retry_fates=fates,
            rolling=rolling_of(asked, len(chosen)),
            content=content,
        )
        plan = JobPlan(name=name, steps=(step,), scope=scope, kind=JOB_KINDS[kind], **common(asked))
        return launched(desk, asked, plan, with_step=True)

    return answer


def execute_plan(desk: Desk, asked: Asked) -> dict[str, Any]:
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
    job = evolve(plan, steps=steps, scope=scope, plan_id=number, kind=0, created=0.0, **common(asked))
    return launched(desk, asked, job, with_step=False)


def launched(desk: Desk, asked: Asked, plan: JobPlan, *, with_step: bool) -> dict[str, Any]:
    """Create the job, and tell its ids as the dialect does."""
    ref = desk.world.add(plan)
    answer: dict[str, Any] = {"job_instance_id": ref.job_instance_id, "job_instance_name": plan.name}
    if asked.dialect == "esb-job" and desk.site.classic:
        return answer
    job = desk.world.job(ref.job_instance_id)
    step_id = job.steps[0].id if with_step and job is not None else None
    if asked.dialect == "gateway-v4" and step_id is None:
        return answer
    return {**answer, "step_instance_id": step_id}


def common(asked: Asked) -> dict[str, Any]:
    """Return what every launch may say."""
    start = asked.parameters.get("start_task")
    return {
        "operator": asked.user,
        "callback_url": asked.text("bk_callback_url") or asked.text("callback_url"),
        "start_task": True if start is None else asked.flag("start_task"),
    }


def script_of(asked: Asked) -> str:
    """Return the script's text; refuse one that is missing or not base64."""
    if asked.parameters.get("script_version_id") or asked.parameters.get("script_id"):
        return ""
    coded = asked.text("script_content")
    if not coded:
        raise missing("script_content")
    language = asked.integer("script_language" if asked.dialect != "esb-job" else "script_type")
    if language is not None and language not in range(1, 6):
        raise missing("script_language")
    try:
        return base64.b64decode(coded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise missing("script_content") from None


def sent_files(asked: Asked) -> str:
    """Return what is sent, for the record; refuse a launch without files."""
    files = asked.parameters.get("file_source_list", asked.parameters.get("file_source"))
    files = asked.parameters.get("file_list") if files is None else files
    if not isinstance(files, list) or not files:
        raise missing("file_source_list")
    if not asked.text("file_target_path"):
        raise missing("file_target_path")
    return ",".join(name for entry in files for name in file_names(entry))


def file_names(entry: Any) -> list[str]:
    """Return the file names of one source."""
    if not isinstance(entry, dict):
        raise missing("file_source_list")
    names = entry.get("file_list", entry.get("files"))
    return [str(name) for name in names] if isinstance(names, list) else [str(entry.get("file_name", "file"))]


def rolling_of(asked: Asked, total: int) -> Rolling | None:
    """Return how a launch is to roll; refuse an expression that is none."""
    config = asked.parameters.get("rolling_config")
    if not isinstance(config, dict):
        return None
    try:
        sizes = rolling_sizes(str(config.get("expression") or ""), total)
    except ValueError:
        raise refusal(1244026) from None
    return Rolling(
        sizes=sizes,
        mode=int(config.get("mode") or 1),
        kind=int(config.get("type") or 1),
        parallel=config.get("execution_mode") == 2,
    )


def variable_hosts(asked: Asked) -> tuple[Host, ...]:
    """Return the hosts that variables name, in either spelling."""
    variables = asked.parameters.get("global_var_list", asked.parameters.get("global_vars"))
    found: dict[Host, None] = {}
    for variable in variables if isinstance(variables, list) else ():
        for key in ("server", "target_server"):
            if isinstance(variable, dict) and isinstance(variable.get(key), dict):
                found.update(dict.fromkeys(named(variable[key])))
        if isinstance(variable, dict):
            found.update((by_entry(entry, "ip_list"), None) for entry in listed(variable, "ip_list"))
    return tuple(found)
