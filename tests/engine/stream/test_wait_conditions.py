"""Conditions of waits: when they hold, and when they cannot hold any more."""

import pytest

from bkjob_async.engine.stream.wait_conditions import Condition, FirstFailure, HostsDone
from bkjob_async.model.status import Phase


@pytest.mark.parametrize(
    ("condition", "hosts", "running", "over"),
    [
        (HostsDone(0.5), {}, False, None),
        (HostsDone(0.5), {Phase.RUNNING: 3, Phase.SUCCESS: 2}, False, None),
        (HostsDone(0.5), {Phase.RUNNING: 2, Phase.SUCCESS: 1, Phase.FAILED: 1}, True, True),
        (HostsDone(), {Phase.PENDING: 1, Phase.SUCCESS: 9}, False, None),
        (HostsDone(), {Phase.UNKNOWN: 1, Phase.SUCCESS: 9}, True, True),
        (FirstFailure(), {Phase.RUNNING: 1, Phase.SUCCESS: 9}, False, None),
        (FirstFailure(), {Phase.RUNNING: 1, Phase.STOPPED: 1}, True, True),
    ],
)
def test_a_condition_holds_waits_or_never_will(
    condition: Condition, hosts: dict[Phase, int], *, running: bool, over: bool | None
) -> None:
    """Of a running target it is true or not yet; of one that is over, true or never."""
    assert condition.holds(hosts, over=False) is running
    assert condition.holds(hosts, over=True) is over


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_is_a_share(share: float) -> None:
    """More than all hosts can never be done."""
    with pytest.raises(ValueError, match="share"):
        HostsDone(share)
