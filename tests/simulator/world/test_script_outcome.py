"""Launched scripts are interpreted; those that cannot be are rejected."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, HANGS, HostOutcome, exactly
from bkjob_async.simulator.world.script_outcome import UnsupportedScriptError, script_outcome
from tests.simulator.http_calls import ask, body, data

BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}
V3 = {**BIZ, "account_alias": "root", "target_server": {"host_id_list": [1, 2]}}
V4 = {**BIZ, "account_alias": "root", "execute_target": {"host_list": [{"bk_host_id": 1}]}}


def launch(simulator: Simulator, text: str, **more: Any) -> Any:
    """Launch a script on two hosts; return the whole response."""
    content = base64.b64encode(text.encode()).decode()
    return ask(simulator, "fast_execute_script", {**V3, "script_content": content, **more}, method="POST")


def statuses(simulator: Simulator) -> list[int]:
    """Let the last job end; return its status and those of its hosts."""
    simulator.world.advance_to_end(simulator.world.now + 600)
    job = simulator.job(simulator.refs[-1])
    return [job.status, *(row.status for row in job.steps[0].rows)]


@pytest.mark.parametrize(
    ("text", "status", "exit_code", "tag", "log"),
    [
        ("true", 9, 0, "", ""),
        ("false", 104, 1, "", ""),
        ("sleep 1; exit 1", 104, 1, "", ""),
        ("true && exit 1", 104, 1, "", ""),
        ("false && exit 7", 104, 1, "", ""),
        ("false || echo rescued", 9, 0, "", "rescued\n"),
        ("true || exit 7", 9, 0, "", ""),
        ("false && exit 7 || echo y", 9, 0, "", "y\n"),
        ("echo x; exit 3", 104, 3, "", "x\n"),
        ("exit 256", 9, 0, "", ""),
        ("false; exit", 104, 1, "", ""),
        ("false\necho fine", 9, 0, "", "fine\n"),
        ("true &&\n  false", 104, 1, "", ""),
        (
            "#!/bin/bash\n# a comment; exit 1\n\necho 'a # b' \"c; d\" e#f # end\n",
            9,
            0,
            "",
            "a # b c; d e#f\n",
        ),
        ("echo -n a; echo b", 9, 0, "", "ab\n"),
        ("job_success 'all well'\nexit 1", 9, 0, "all well", "job_success:[all well]\n"),
        ("sleep 3\njob_fail disk full", 104, 1, "disk full", "job_fail:[disk full]\n"),
        ("exit 0\n./never-reached", 9, 0, "", ""),
        ("hostname", 9, 0, "", "simulated-host\n"),
        ("sleep", 104, 1, "", "sleep: missing operand\n"),
    ],
)
def test_a_script_does_what_it_says(text: str, status: int, exit_code: int, tag: str, log: str) -> None:
    """The few words of shell that tests need, with the meaning that a shell gives them."""
    outcome = script_outcome(text)

    assert (outcome.status, outcome.exit_code, outcome.tag, outcome.log) == (status, exit_code, tag, log)


@pytest.mark.parametrize(
    ("text", "seconds"), [("sleep 3", 3.0), ("sleep 0.5; sleep 1m", 60.5), ("false && sleep 9; sleep 1", 1.0)]
)
def test_sleeping_takes_its_time(text: str, seconds: float) -> None:
    """All that is slept, added up."""
    assert script_outcome(text).duration == exactly(seconds)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("./deploy.sh", "line 1: the command './deploy.sh'"),
        ("true\nsystemctl restart nginx", "line 2: the command 'systemctl'"),
        ("echo $HOME", "line 1: '$'"),
        ("date | wc", "line 1: '|'"),
        ("echo `date`", "line 1: '`'"),
        ("PASSWORD=hunter2 true", "line 1: a command"),
        ("echo 'open", 'line 1: "\'"'),
        ("sleep soon", "line 1: the duration of 'sleep'"),
        ("exit never", "line 1: the status of 'exit'"),
        ("exit ²", "line 1: the status of 'exit'"),
        ("&& true", "line 1: no command before '&&'"),
        ("true; ; true", "line 1: no command before ';'"),
        ("true &&", "no command after '&&'"),
    ],
)
def test_what_cannot_be_interpreted_is_refused(text: str, reason: str) -> None:
    """At the launch, with the place and with what to do; nothing is created."""
    simulator = Simulator()

    answer = body(launch(simulator, text))

    assert answer["code"] == 1241012
    assert reason in answer["message"]
    assert "launch_outcomes" in answer["message"]
    assert "hunter2" not in answer["message"]
    assert simulator.refs == ()
    with pytest.raises(UnsupportedScriptError):
        script_outcome(text)


def test_other_languages_are_refused_too() -> None:
    """Version 4 says so in its own envelope."""
    simulator = Simulator()
    content = base64.b64encode(b"exit 0").decode()
    given = {**V4, "script_content": content, "script_language": 4}

    answer = ask(simulator, "fast_execute_script", given, dialect="gateway-v4", method="POST")

    assert answer.status == 400
    assert body(answer)["error"]["details"][0]["code"] == "1241012"


def test_a_launch_can_be_given_outcomes_per_host() -> None:
    """Its script is not read then; the next launch is on its own again."""
    simulator = Simulator()
    simulator.set_launch_outcomes({"0:10.0.0.2": FAILS}, name="deploy")

    launch(simulator, "echo another", task_name="another")
    assert statuses(simulator) == [3, 9, 9]
    data(launch(simulator, "./deploy.sh", task_name="deploy"))
    assert statuses(simulator) == [4, 9, 104]
    assert body(launch(simulator, "./deploy.sh", task_name="deploy"))["code"] == 1241012


def test_outcomes_hold_for_plans_and_for_several_launches() -> None:
    """A retry fares as the others."""
    simulator = Simulator()
    simulator.set_launch_outcomes({"0:10.0.0.1": FAILS}, times=None)

    for _ in range(2):
        ask(simulator, "execute_job_plan", {**BIZ, "job_plan_id": 1000}, method="POST")
        assert statuses(simulator) == [4, 104, 9, 9]

    step = simulator.step(simulator.steps(simulator.refs[-1])[0])
    simulator.world.operate_step(step, 2)
    assert statuses(simulator)[:2] == [3, 9]


def test_outcomes_for_a_host_that_the_launch_lacks_are_refused() -> None:
    """A slip of the pen is no success."""
    simulator = Simulator()
    simulator.set_launch_outcomes({"0:10.0.0.99": FAILS})

    assert "0:10.0.0.99" in body(launch(simulator, "true"))["message"]


def test_outcomes_of_the_site_come_before_the_script() -> None:
    """All launches fare so."""
    simulator = Simulator(site=SiteConfig(outcomes=(HANGS,)))

    data(launch(simulator, "./deploy.sh"))

    assert statuses(simulator) == [2, 7, 7]
    assert Simulator(site=SiteConfig(outcomes=(HostOutcome(),))).site.outcomes == (HostOutcome(),)


def test_a_script_of_the_site_runs_by_its_id() -> None:
    """Its online version, or the one that is named; an unknown one is 1243001."""
    simulator = Simulator()
    script = simulator.site.catalog.scripts[0]
    by_script = {**V3, "script_id": script.id}
    by_version = {**V3, "script_version_id": 500}

    contents = []
    for given in (by_script, by_version):
        data(ask(simulator, "fast_execute_script", given, method="POST"))
        contents.append(simulator.job(simulator.refs[-1]).plan.steps[0].content)
    unknown = ask(simulator, "fast_execute_script", {**V3, "script_version_id": 9}, method="POST")

    assert contents == ["uptime", "date; uptime"]
    assert body(unknown)["code"] == 1243001
