"""Recorded responses are read as the library reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bkjob_async import UsageError
from bkjob_async.cli.actions.decode import guess_operation
from bkjob_async.cli.commands.group import bkjob

JOB = {
    "code": 0,
    "result": True,
    "data": {
        "finished": True,
        "job_instance": {
            "job_instance_id": 100,
            "bk_scope_type": "biz",
            "bk_scope_id": "2",
            "status": 3,
            "name": "发布\x1b[31m",
        },
        "step_instance_list": [{"step_instance_id": 200, "status": 3, "execute_count": 0}],
    },
}


def decoded(tmp_path: Path, body: Any, *arguments: str) -> Result:
    """Return what the command makes of *body*."""
    path = tmp_path / "body.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return CliRunner().invoke(bkjob, ["decode", str(path), *arguments], standalone_mode=False)


def test_a_response_becomes_json(tmp_path: Path) -> None:
    """Refs as texts, statuses with their phase; the operation is known by the body."""
    done = decoded(tmp_path, JOB)
    said = json.loads(done.stdout)

    assert done.return_value == 0
    assert said["ref"] == "2:100"
    assert said["status"] == {"code": 3, "name": "SUCCESS", "phase": "SUCCESS"}
    assert said["steps"][0]["ref"] == "2:100/200"
    assert said["name"] == "发布\x1b[31m"
    assert "\x1b" not in done.stdout


def test_data_without_its_envelope(tmp_path: Path) -> None:
    """As some logs keep it."""
    done = decoded(tmp_path, JOB["data"], "--data-only")

    assert json.loads(done.stdout)["ref"] == "2:100"


def test_an_error_says_who_must_act(tmp_path: Path) -> None:
    """On stderr, with exit code 1."""
    done = decoded(tmp_path, {"code": 1240002, "result": False, "message": "boom"})

    assert (done.return_value, done.stdout) == (1, "")
    assert "boom (code 1240002" in done.stderr
    assert "give the request ids to the platform's operators" in done.stderr


def test_a_callback(tmp_path: Path) -> None:
    """It has no envelope."""
    body = {"job_instance_id": 1, "status": 3, "step_instances": [{"step_instance_id": 2, "status": 4}]}

    assert json.loads(decoded(tmp_path, body).stdout)["steps"]["2"]["phase"] == "FAILED"


@pytest.mark.parametrize(
    ("data", "operation"),
    [
        ({"step_result_group_list": []}, "get_step_instance_status"),
        ({"data": [], "total": 0}, "get_job_instance_list"),
        ({"script_task_logs": []}, "batch_get_job_instance_ip_log"),
        ({"log_content": ""}, "get_job_instance_ip_log"),
        ([], "get_job_instance_log"),
    ],
)
def test_the_operation_is_known_by_the_body(data: Any, operation: str) -> None:
    """Of the usual ones."""
    assert guess_operation(json.dumps({"code": 0, "data": data})) == operation


@pytest.mark.parametrize("text", ["<html>", '{"data": {"x": 1}}', "[]", "7"])
def test_what_is_not_clear_is_asked(text: str) -> None:
    """Not guessed."""
    with pytest.raises(UsageError, match="--operation"):
        guess_operation(text)
