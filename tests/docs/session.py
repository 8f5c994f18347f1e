"""Run examples of `python -m asyncio`: statements after `>>>`, with `await` allowed, and what they print."""

from __future__ import annotations

import ast
import doctest
import inspect
import io
import json
import re
import traceback
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any

import prometheus_client

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, SimulatedVariable, StepPlan
from tests.client.clients import CREDENTIALS, SCOPE, URLS

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CHECKER = doctest.OutputChecker()
PARSER = doctest.DocTestParser()
# What examples use without importing it.
MODULES = {
    "Counter": Counter,
    "UTC": UTC,
    "bkjob": bkjob,
    "datetime": datetime,
    "defaultdict": defaultdict,
    "io": io,
    "json": json,
    "prometheus_client": prometheus_client,
    "timedelta": timedelta,
}
QUALIFIED = re.compile(r"^(?:\w+\.)+(\w+)(?=:|$)")


async def failures(text: str, names: dict[str, Any], place: str) -> list[str]:
    """Run the examples of *text* one after the other; return what did not go as written."""
    found = []
    for example in PARSER.get_examples(text):
        got = await output_of(example.source, names, place)
        want = QUALIFIED.sub(r"\1", example.exc_msg) if example.exc_msg else example.want
        if not CHECKER.check_output(want, got, OPTIONS):
            found.append(f"{place}, line {example.lineno + 1}:\n{example.source}wanted:\n{want}got:\n{got}")
    return found


async def output_of(source: str, names: dict[str, Any], place: str) -> str:
    """Return what a statement prints, or the last line of its traceback."""
    said = io.StringIO()
    with redirect_stdout(said):
        try:
            code = compile(source, place, "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            done = eval(code, names)  # noqa: S307 - the project's own documents
            if inspect.iscoroutine(done):
                await done
        except Exception as error:  # noqa: BLE001 - what an example raises is its output
            last = traceback.format_exception_only(error)[-1]
            return said.getvalue() + QUALIFIED.sub(r"\1", last)
    return said.getvalue()


# The clients that examples use: their dialects and options.
CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "client": ("gateway-v3", {"language": "en"}),
    "system": ("gateway-v3", {"system": True, "acting_user": "admin"}),
    "v4": ("gateway-v4", {}),
    "esb": ("esb-job", {}),
    "jobv3": ("esb-jobv3", {}),
}


def simulated(scenario: str | None = None) -> dict[str, Any]:
    """Return the names that examples use, without clients: a simulated platform, a job and a step.

    Without a *scenario* the platform has one job, which has ended: one of its three hosts has failed.
    """
    simulator = Simulator(scenario)
    if scenario is None:
        simulator.add(
            SimulatedJob(
                name="restart nginx",
                steps=(StepPlan(name="restart", hosts=3, pinned={1: FAILS}),),
                variables=(SimulatedVariable(id=1, name="version", value="1.0"),),
            )
        )
        simulator.world.advance_to_end()
    job = simulator.refs[0]
    (step, *_) = simulator.steps(job)
    return {**MODULES, "simulator": simulator, "credentials": CREDENTIALS, "job": job, "step": step}


@asynccontextmanager
async def platform(scenario: str | None = None) -> AsyncIterator[dict[str, Any]]:
    """Yield the names that examples use: those of `simulated`, and clients."""
    names = simulated(scenario)
    async with AsyncExitStack() as stack:
        for name, (dialect, options) in CLIENTS.items():
            client = bkjob.connect(
                URLS[dialect],
                CREDENTIALS,
                dialect=dialect,
                scope=SCOPE,
                transport=names["simulator"].transport(),
                **options,
            )
            names[name] = await stack.enter_async_context(client)
        yield names
