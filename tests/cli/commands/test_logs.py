"""Each line of a growing log is written once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async import HostChanged, HostKey, HostSnapshot, HostStatus, JobRef, RunStatus, Scope, StepSnapshot
from bkjob_async.cli.logs.follow import FollowedHosts
from bkjob_async.cli.logs.hosts import HostFilter, hosts_not_in, portions
from bkjob_async.cli.logs.lines import LogTail, last, lines_of, text_of
from bkjob_async.responses import FileLog, HostLog
from tests.cli import shell

STEP = JobRef(Scope.biz(2), 100).step(200)
HOST = HostKey(bk_cloud_id=0, ip="10.0.0.1")


@given(text=st.text(alphabet="ab\n\r发", max_size=200), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_a_log_that_grows_is_written_once(text: str, cuts: list[int]) -> None:
    """However it is cut into responses; carriage returns may come in between."""
    tail = LogTail()
    written: list[str] = []
    for cut in sorted(cuts):
        written += tail.new_lines(text[:cut], is_final=False)
    written += tail.new_lines(text, is_final=True)

    assert written == lines_of(text)


def test_the_last_lines_are_those_of_the_first_response() -> None:
    """What comes later is new."""
    tail = LogTail()

    first = tail.new_lines("1\n2\n3\n", is_final=False, tail=2)
    then = tail.new_lines("1\n2\n3\n4\n5\n6\n", is_final=True, tail=2)

    assert (first, then) == (["2", "3"], ["4", "5", "6"])
    assert last(["1", "2"], 0) == []
    assert last(["1", "2"], None) == last(["1", "2"], 9) == ["1", "2"]


def test_a_log_that_was_replaced_is_written_anew() -> None:
    """A retry begins another log."""
    tail = LogTail()
    tail.new_lines("old\nold\n", is_final=False)

    assert tail.new_lines("new\nnew\nnew\n", is_final=True) == ["new", "new", "new"]
    assert tail.new_lines("short\n", is_final=True) == ["short"]


def test_a_progress_bar_is_its_last_state() -> None:
    """As a terminal shows a line that was written over."""
    assert lines_of("10 %\r50 %\r100 %\r\ndone\r\n") == ["100 %", "done"]


def changed(code: int, execute_count: int = 0) -> HostChanged:
    """Return a change of the one host."""
    return HostChanged(ref=STEP, host=HOST, execute_count=execute_count, before=None, after=HostStatus(code))


def test_a_host_is_read_once_more_after_its_end() -> None:
    """Then never again, until it is retried."""
    followed = FollowedHosts(HostFilter())
    seen = []
    for event in (changed(5), changed(7), None, changed(9), None, changed(7, execute_count=1)):
        if event is not None:
            followed.apply(event)
        seen.append([*followed.due()])

    assert [len(each) for each in seen] == [0, 1, 1, 1, 0, 1]
    assert seen[3][0][1][HOST.label].is_finished


def test_only_failed_hosts_are_followed_where_that_is_asked_for() -> None:
    """And only those that are named, by any of their names."""
    failed, named = (
        FollowedHosts(HostFilter(failed=True)),
        FollowedHosts(HostFilter((HostKey(ip="10.0.0.2"),))),
    )
    for event in (changed(7), changed(104)):
        failed.apply(event)
        named.apply(event)

    assert len(failed.due()) == 1
    assert named.due() == []


def test_hosts_are_read_in_portions() -> None:
    """The last one may be smaller."""
    hosts = [HostKey(bk_host_id=number) for number in range(1, 6)]

    assert [len(portion) for portion in portions(hosts, 2)] == [2, 2, 1]


def test_the_log_of_a_transfer_names_its_files() -> None:
    """With size, speed and progress as the platform says them."""
    log = HostLog(
        host=HOST,
        files=(
            FileLog(
                mode=1, destination_path="/data/a", size="1 MB", speed="1 MB/s", progress="100%", text="ok\n"
            ),
            FileLog(mode=9, source_path="/data/b"),
        ),
    )

    assert text_of(log) == "download /data/a 1 MB 1 MB/s 100%\nok\n/data/b\n"


@pytest.mark.slow
def test_logs_are_followed_until_the_job_is_over() -> None:
    """Every line once, of every host or of those that failed; then it ends by itself."""
    lines = {}
    for option in ((), ("--failed",), ("--host", "0:10.0.0.3,0:10.0.0.4", "--json")):
        with shell.simulator("some-fail", speed=10) as url:
            at = ("--url", url, "--biz", "2", "--interval", "0.2")
            done = shell.run("logs", *at, "--follow", *option, "20000000001/30000000001")
        assert (done.returncode, done.stderr) == (0, "")
        lines[option] = sorted(done.stdout.splitlines())

    whole, failed, named = lines.values()
    assert whole == sorted([f"0:10.0.0.{n} | done" for n in (1, 2, 4, 5, 7, 9, 10, 11, 12)] + failed)
    assert failed == ["0:10.0.0.3 | no such file", "0:10.0.0.8 | no such file"]
    assert [json.loads(line)["line"] for line in named] == ["no such file", "done"]


@pytest.mark.slow
def test_a_host_without_a_log_does_not_hide_the_others() -> None:
    """Those that could be read are written; with several steps each line names its own."""
    with shell.simulator("some-fail") as url:
        shell.control(url, "advance", {"seconds": 60})
        at = ("--url", url, "--biz", "2")
        one = shell.run("logs", *at, "--host", "10.0.0.3", "20000000001")
        none = shell.run("logs", *at, "--host", "10.0.9.9", "20000000001")
        old = shell.run("logs", *at, "--dialect", "esb-job", "--failed", "20000000001")

    assert one.stdout == "0:10.0.0.3 | no such file\n"
    assert (none.stdout, none.returncode) == ("", 3)
    assert {"0:10.0.0.3 | no such file", "0:10.0.0.8 | no such file"} <= set(old.stdout.splitlines())


def test_a_host_that_is_not_there_is_named() -> None:
    """So is one without a log, and a step or job that is not there; a typing error must not look like silence."""
    with shell.simulator("some-fail") as url:
        shell.control(url, "advance", {"seconds": 60})

        def logs(*words: str) -> tuple[int, str, str]:
            done = shell.run("logs", "--url", url, "--biz", "2", *words)
            return done.returncode, done.stdout, done.stderr

        absent = "1 host not in {}: 0:10.0.9.9 (a step shows its hosts when it begins)\n"
        job, step = "2:20000000001", "2:20000000001/30000000001"
        for more in ([], ["--failed"], ["--follow", "--interval", "0.2"]):
            assert logs(job, "--host", "10.0.9.9", *more) == (3, "", absent.format(job))
            assert logs(step, "--host", "10.0.9.9", *more) == (3, "", absent.format(step))
        both = logs(job, "--host", "10.0.0.3,10.0.9.9")
        silent = logs(job, "--host", "10.0.0.6")
        fine = logs(job, "--host", "10.0.0.1", "--failed")
        unknown = [logs("2:20000000001/9"), logs("2:7", "--follow"), logs("2:20000000001/9", "--host", "#1")]

    assert both == (3, "0:10.0.0.3 | no such file\n", absent.format(job))
    assert silent == (0, "", "1 host without a log: 0:10.0.0.6\n")
    assert fine == (0, "", "none of these hosts failed\n")
    assert [code for code, _, _ in unknown] == [3, 3, 3]
    assert "its job has no such step" in unknown[0][2]
    assert "2:7 lost: not found" in unknown[1][2]


def test_a_host_is_absent_only_where_all_hosts_are_shown() -> None:
    """By any of its names; a step of containers may show none, whatever it has."""
    row = HostSnapshot(host=HostKey(bk_host_id=7, bk_cloud_id=0, ip="10.0.0.1"), status=HostStatus(9))
    shown, hidden = (
        StepSnapshot(ref=STEP, status=RunStatus(3), is_finished=True, hosts=hosts) for hosts in ((row,), None)
    )
    by_id, by_address, other = HostKey(bk_host_id=7), HOST, HostKey(ip="10.0.0.2")

    assert hosts_not_in([shown], [by_id, by_address, other]) == [other]
    assert hosts_not_in([shown, hidden], [other]) == []
