"""The lines of a watch, and its outcome."""

import json
import sys
from datetime import UTC, datetime

import pytest

from bkjob_async import (
    Batch,
    Event,
    Finished,
    InSync,
    JobChanged,
    JobRef,
    JobResult,
    Lost,
    LostReason,
    Reopened,
    RunStatus,
    Scope,
    Stalled,
    Trouble,
)
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import set_output_encoding, write_out
from bkjob_async.cli.watching.consumers import json_line, plain_line
from bkjob_async.cli.watching.outcome import Outcome
from bkjob_async.model.json_values import event_from_json
from bkjob_async.model.text.printing import printable

JOB = JobRef(Scope.biz(2), 100)
OTHER = JobRef(Scope.biz(2), 101)
SEEN = JobChanged(
    ref=JOB,
    before=None,
    after=RunStatus(2),
    is_finished=False,
    name="发布",
    at=datetime(2026, 11, 24, 10, tzinfo=UTC),
)
REFUSED = Trouble(ref=None, error="NotAuthenticated", message="no")


def finished(ref: JobRef, code: int) -> Finished:
    """Return a job's end."""
    return Finished(ref=ref, result=JobResult(ref=ref, status=RunStatus(code)))


def outcome(*events: Event) -> Outcome:
    """Return what *events* amount to."""
    found = Outcome()
    for event in events:
        found.apply(Batch(1, (event,)))
    return found


def test_a_json_line_is_the_event_and_when_it_was_reported() -> None:
    """One line, readable back, Chinese left as it is."""
    line = json_line(SEEN)

    assert "\n" not in line
    assert "发布" in line
    assert event_from_json(json.loads(line)) == SEEN
    assert json.loads(line)["at"] == "2026-11-24T10:00:00+00:00"


@pytest.mark.parametrize("name", ["\x7f", "\x00\x1b", "\u202e", "\U000e0001", "\x85\u2028"])
def test_a_json_line_cannot_steer_a_terminal(name: str) -> None:
    """What is not printable is written as its escape."""
    line = json_line(JobChanged(ref=JOB, before=None, after=RunStatus(2), is_finished=False, name=name))

    assert line.isprintable()
    assert json.loads(line)["name"] == name


def test_a_plain_line_is_one_line_whatever_the_platform_says() -> None:
    """A message cannot break lines or steer a terminal."""
    line = plain_line(Trouble(ref=JOB, error="PlatformTrouble", message="a\nb\x1b[31m\u202e发"))

    assert line.endswith("a\\nb\\x1b[31m\\u202e发")
    assert printable("normal 文本") == "normal 文本"


def test_half_a_character_does_not_break_the_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """A lone surrogate becomes JSON's own escape for it."""
    set_output_encoding()
    write_out(
        json_line(JobChanged(ref=JOB, before=None, after=RunStatus(2), is_finished=False, name="\ud800"))
    )
    sys.stdout.flush()

    assert json.loads(capsys.readouterr().out)["name"] == "\ud800"


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ((SEEN, finished(JOB, 3)), ExitCode.ALL_SUCCEEDED),
        ((finished(JOB, 3), finished(OTHER, 4)), ExitCode.SOMETHING_FAILED),
        ((finished(JOB, 4), Reopened(ref=JOB, epoch=1), finished(JOB, 3)), ExitCode.ALL_SUCCEEDED),
        ((finished(JOB, 3), Lost(ref=OTHER, reason=LostReason.GONE)), ExitCode.COULD_NOT_WATCH),
        ((finished(JOB, 4), Lost(ref=OTHER, reason=LostReason.GONE)), ExitCode.SOMETHING_FAILED),
    ],
)
def test_the_exit_code_follows_the_last_end_of_each_target(events: tuple[Event, ...], code: ExitCode) -> None:
    """A failure is certain, a loss is not: the certain one is reported."""
    assert outcome(*events).exit_code is code


def test_the_last_sentence_names_what_did_not_go_well() -> None:
    """Three names are enough to begin with."""
    ends = [finished(JobRef(Scope.biz(2), n), 4) for n in range(1, 8)]

    assert str(outcome(finished(JOB, 3), *ends[:1])) == "1 succeeded; 1 failed (2:1)"
    assert str(outcome(*ends)) == "0 succeeded; 7 failed (2:1, 2:2, 2:3 and 4 more)"


def test_hopeless_is_only_what_never_worked() -> None:
    """After the first sight every trouble may pass."""
    assert outcome(InSync(), REFUSED).hopeless
    assert outcome(InSync(), Stalled(ref=JOB, seconds=60.0)).hopeless
    assert not outcome(InSync(), Trouble(ref=JOB, error="NotFound", message="")).hopeless
    assert not outcome(SEEN, REFUSED).hopeless


def test_a_json_line_cannot_steer_a_terminal_either() -> None:
    """JSON's own escapes keep the value."""
    evil = Trouble(ref=JOB, error="PlatformTrouble", message="a\x7f\x9b31m\u202e\u2066发\U000e0001")
    line = json_line(evil)

    assert line.isprintable()
    assert "发" in line
    assert event_from_json(json.loads(line)) == evil
