"""The commands that are reported can be typed as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from bkjob_async import JobRef, Scope
from bkjob_async.cli.watching.resuming import WatchRequest, next_command, resume_command
from bkjob_async.configuration.settings import Profile, Settings, resolve

JOBS = tuple(JobRef(Scope.biz(2), number) for number in range(1, 10))


@pytest.fixture(autouse=True)
def _called_bkjob(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bkjob_async.cli.watching.resuming.program_name", lambda: "bkjob")


def given(**options: Any) -> Settings:
    """Return settings from options and the environment."""
    return resolve(options, {"BKJOB_APP_SECRET": "hush", "BKJOB_TENANT": "t"}, None)


def test_the_platform_is_named_as_it_was() -> None:
    """What was an option is one again; what is in the environment need not be said."""
    settings = given(url="http://x y", biz=2, dialect="esb-job")

    command = next_command(["logs"], JOBS[:1], settings, ["--failed"])

    assert command == "bkjob logs --url 'http://x y' --dialect esb-job 2:1 --failed"
    assert shlex.split(command)[3] == "http://x y"


def test_a_profile_is_named() -> None:
    """Its values are not."""
    settings = resolve({}, {}, Profile(name="prod", path=Path(), values={"url": "http://x", "biz": 2}))

    assert next_command(["retry"], JOBS[:2], settings) == "bkjob retry --profile prod 2:1 2:2"


def test_many_targets_are_named_by_the_words_that_named_them() -> None:
    """A list that breaks off could not be typed; stdin is gone."""
    settings = given(biz=2)

    assert (
        resume_command(JOBS[:5], settings, WatchRequest(words=("@jobs",)))
        == "bkjob watch 2:1 2:2 2:3 2:4 2:5"
    )
    assert resume_command(JOBS, settings, WatchRequest(words=("@jobs",))) == "bkjob watch --biz 2 @jobs"
    assert resume_command(JOBS, settings, WatchRequest(words=("-",))).endswith("2:5 …")


def test_a_fleet_needs_its_name_only() -> None:
    """And its journal, where that was an option."""
    url = "sqlite:///night.db"

    assert resume_command(JOBS, given(), WatchRequest(journal=url, name="a b")) == "bkjob watch --name 'a b'"
    assert resume_command(JOBS, given(journal=url), WatchRequest(journal=url, name="n")) == (
        f"bkjob watch --journal {url} --name n"
    )
