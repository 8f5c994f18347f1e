"""Targets and hosts as people give them."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from bkjob_async import HostKey, JobRef, Scope, StepRef, UsageError
from bkjob_async.cli.actions.launch import account_of, language_of, named_values
from bkjob_async.cli.configuration.targets import hosts_from, targets_from

TWO = Scope.biz(2)


def test_bare_ids_are_in_the_scope_that_was_given() -> None:
    """Whole names carry their own, links may."""
    link = "https://job.example.com/api_execute/100?stepInstanceId=200"
    words = ["100", "9:100/200", link, "https://job.example.com/api_execute_step/7/8"]

    assert targets_from(words, TWO) == (
        JobRef(TWO, 100),
        StepRef(Scope.biz(9), 100, 200),
        StepRef(TWO, 100, 200),
        StepRef(TWO, 7, 8),
    )


@pytest.mark.parametrize(("word", "complaint"), [("100/", "names neither"), ("x", "names neither")])
def test_what_names_nothing_is_refused(word: str, complaint: str) -> None:
    """With the word itself."""
    with pytest.raises(UsageError, match=f"'{word}' {complaint}"):
        targets_from([word], TWO)


def test_a_bare_id_without_a_scope_is_a_question() -> None:
    """The options that answer it are named."""
    with pytest.raises(UsageError, match="in which scope is 100"):
        targets_from(["100"], None)


def test_files_and_stdin_name_targets_one_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first word counts, so that the lines of `bkjob jobs` will do; each target once."""
    file = tmp_path / "targets"
    file.write_bytes("\ufeff# 发布\n2:100  RUNNING  发布\r\n\n2:101\n".encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"2:102\n2:100\n")))

    found = targets_from([f"@{file}", "-"], None)

    assert found == (JobRef(TWO, 100), JobRef(TWO, 101), JobRef(TWO, 102))


def test_a_file_that_is_not_there_is_named() -> None:
    """Without a traceback."""
    with pytest.raises(UsageError, match="/nonexistent cannot be read: No such file"):
        targets_from(["@/nonexistent"], None)


@pytest.mark.parametrize("content", ["", "\n# none\n"])
def test_a_list_that_names_nothing_is_refused(content: str, tmp_path: Path) -> None:
    """A pipe whose first command failed would be green, and a launch without hosts a question to the platform."""
    file = tmp_path / "list"
    file.write_text(content)

    with pytest.raises(UsageError, match=r"which targets\? @.*list names none"):
        targets_from([f"@{file}"], TWO)
    with pytest.raises(UsageError, match=r"which hosts\? @.*list names none"):
        hosts_from([f"@{file}"])
    assert (targets_from([], TWO), hosts_from([])) == ((), ())


def test_hosts_come_in_lists_and_files(tmp_path: Path) -> None:
    """By address, by cloud and address, by id; each once."""
    file = tmp_path / "hosts"
    file.write_text("#7\n0:10.0.0.1\n")

    found = hosts_from(["10.0.0.1,1:10.0.0.2", f"@{file}"])

    assert found == (
        HostKey(bk_cloud_id=0, ip="10.0.0.1"),
        HostKey(bk_cloud_id=1, ip="10.0.0.2"),
        HostKey(bk_host_id=7),
    )
    with pytest.raises(UsageError, match="a host is"):
        hosts_from(["nonsense"])


@pytest.mark.parametrize(
    ("file", "text", "given", "code"),
    [
        ("deploy.py", "", None, 4),
        ("deploy", "#!/usr/bin/env python3\n", None, 4),
        ("deploy", "#!/usr/bin/perl -w\n", None, 3),
        ("-", "uptime", None, 1),
        ("deploy.ps1", "", None, 5),
        ("deploy.py", "", "shell", 1),
    ],
)
def test_the_language_of_a_script(file: str, text: str, given: str | None, code: int) -> None:
    """As it is given, by its suffix, by its first line, else shell."""
    assert language_of(file, text, given) == code


def test_accounts_have_names_or_ids() -> None:
    """The platform takes both, in different parameters."""
    assert account_of("root") == ("root", None)
    assert account_of("17") == (None, 17)


def test_a_wrong_variable_does_not_repeat_its_value() -> None:
    """It may be a secret."""
    assert [*named_values(["a=b=c", "d="], "--var")] == [("a", "b=c"), ("d", "")]
    with pytest.raises(UsageError, match="--var is NAME=VALUE"):
        [*named_values(["=hush"], "--var")]


def test_an_empty_word_is_shown_as_one() -> None:
    """An empty variable of a shell is the usual cause."""
    with pytest.raises(UsageError, match=r"which hosts\? '' names none"):
        hosts_from([""])
