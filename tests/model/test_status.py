"""The two sets of status codes, code by code."""

import pytest

from bkjob_async.model.status import HOST_CODES, Phase, host_status, run_status

# For each code: finished, success and phase
RUN = {
    1: (False, False, Phase.PENDING),
    2: (False, False, Phase.RUNNING),
    3: (True, True, Phase.SUCCESS),
    4: (True, False, Phase.FAILED),
    5: (True, False, Phase.SKIPPED),
    6: (True, False, Phase.IGNORED),
    7: (False, False, Phase.WAITING),
    8: (True, False, Phase.STOPPED),
    9: (True, False, Phase.ABNORMAL),
    10: (False, False, Phase.STOPPING),
    11: (True, False, Phase.STOPPED),
    12: (True, False, Phase.FAILED),
    13: (True, False, Phase.STOPPED),
    14: (True, False, Phase.ABNORMAL),
    15: (False, False, Phase.WAITING),
    16: (False, False, Phase.UNKNOWN),
    -3: (False, False, Phase.UNKNOWN),
}


@pytest.mark.parametrize("code", RUN)
def test_every_run_code_has_one_meaning(code: int) -> None:
    """Finished, success and phase of jobs and steps."""
    status = run_status(code)

    assert (status.is_finished, status.is_success, status.phase) == RUN[code]


def test_jobs_and_hosts_say_alike_whether_they_are_finished() -> None:
    """Read as a value: a method would be true of whatever runs."""
    assert not run_status(2).is_finished
    assert not host_status(7).is_finished


def test_hosts_are_unfinished_in_two_codes_and_successful_in_two() -> None:
    """Every other code, known or not, is final and no success."""
    codes = [*HOST_CODES, 6, 999, -1]

    assert {c for c in codes if not host_status(c).is_finished} == {5, 7}
    assert {c for c in codes if host_status(c).is_success} == {3, 9}
    assert {c for c in codes if host_status(c).phase is Phase.UNKNOWN} == {6, 999, -1}


def test_the_two_spaces_never_mix() -> None:
    """3 is a successful job but a host that succeeded last time; 9 is abnormal or a success."""
    run: object = run_status(9)
    assert run != host_status(9)
    assert (run_status(9).phase, host_status(9).phase) == (Phase.ABNORMAL, Phase.SUCCESS)


def test_unknown_codes_are_kept_and_named() -> None:
    """Nobody has to guess what the platform sent."""
    assert (run_status(77).code, str(run_status(77))) == (77, "UNKNOWN_77")
    assert (host_status(777).code, str(host_status(777))) == (777, "UNKNOWN_777")
