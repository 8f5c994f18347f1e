"""Usual slips are `UsageError`s that name the remedy, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import CREDENTIALS, URLS


@pytest.mark.parametrize(
    ("slip", "remedy"),
    [
        (lambda: bkjob.Scope.biz("2"), r"Scope\.biz\(2\)"),  # type: ignore[arg-type]
        (lambda: bkjob.Scope.biz(0), r"Scope\.biz\(2\)"),
        (lambda: bkjob.JobRef(2, 100), r"JobRef\(Scope\.biz\(2\), \.\.\.\)"),  # type: ignore[arg-type]
        (lambda: bkjob.JobRef(bkjob.Scope.biz(2), "100"), "job_instance_id=100"),  # type: ignore[arg-type]
        (lambda: bkjob.parse_ref("xx"), r"'2:100', '2:100/200'"),
        (lambda: bkjob.parse_ref(100), "as_ref"),  # type: ignore[arg-type]
        (lambda: bkjob.HostKey.parse("web-1"), "'cloud:ip'"),
        (lambda: bkjob.as_ref(5), r"connect\(scope=\.\.\.\)"),
    ],
)
def test_a_wrong_name_says_what_to_write(slip: Callable[[], Any], remedy: str) -> None:
    """Instead."""
    with pytest.raises(bkjob.UsageError, match=remedy):
        slip()


@pytest.mark.looptime
async def test_a_wait_for_an_id_without_a_scope_says_where_to_give_it() -> None:
    """Nothing was sent."""
    transport = Simulator().transport()
    async with bkjob.connect(URLS["gateway-v3"], CREDENTIALS, transport=transport) as client:
        with pytest.raises(bkjob.UsageError, match=r"connect\(scope=\.\.\.\), or a JobRef"):
            await client.wait(5)
        with pytest.raises(bkjob.UsageError, match="positive"):
            await client.wait("2:100", deadline=-5)

    assert transport.requests == 0
