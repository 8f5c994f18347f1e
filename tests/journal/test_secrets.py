"""The password of a journal's URL is in no error, and in no frame that an error tracker stores."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async import sync
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import client_of
from tests.client.test_secrets import chain, frames, texts
from tests.journal.redis_server import running

PASSWORD = "j0urnal-passw0rd-3f4a"
URLS = (
    f"redis://:{PASSWORD}@127.0.0.1:6x/0",
    f"mysql://:{PASSWORD}@localhost/x",
    f"redis://127.0.0.1:1/0?password={PASSWORD}",
    f"redis://:{PASSWORD}@/0",
)


def shown(error: BaseException) -> list[str]:
    """Return what an error tracker stores of *error*."""
    return [*texts(error), *(text for link in chain(error) for text in frames(link.__traceback__))]


@pytest.mark.parametrize("url", URLS)
async def test_a_url_that_is_refused_is_in_no_frame(url: str) -> None:
    """Whoever was given it: a journal, a watch, a fleet, or a report."""
    with pytest.raises(bkjob.UsageError) as journal:
        bkjob.open_journal(url)
    async with client_of(Simulator()) as (client, _):
        with pytest.raises(bkjob.UsageError) as watch:
            client.watch(journal=url, name="night")
    with pytest.raises(bkjob.UsageError) as fleet:
        bkjob.Fleet("night", journal=url)
    with pytest.raises(bkjob.UsageError) as report:
        await bkjob.RunReport().read_journal(url, "night")

    for refused in (journal, watch, fleet, report):
        assert [text for text in shown(refused.value) if PASSWORD in text] == []


@pytest.mark.parametrize("wrong", [{"name": "a{b}"}, {"shards": 0}])
def test_a_url_beside_another_wrong_argument_of_a_fleet_is_in_no_frame(wrong: dict[str, Any]) -> None:
    """The fleet is not made, whatever the URL says."""
    with pytest.raises(bkjob.UsageError) as refused:
        bkjob.Fleet(**{"name": "night", "journal": f"redis://:{PASSWORD}@localhost", **wrong})

    assert [text for text in shown(refused.value) if PASSWORD in text] == []


async def test_a_url_whose_server_is_away_is_in_no_frame_of_a_report() -> None:
    """Of both clients."""
    url = f"redis://:{PASSWORD}@127.0.0.1:1/0"
    with pytest.raises(bkjob.JournalUnavailable) as away:
        await bkjob.RunReport().read_journal(url, "night")
    with pytest.raises(bkjob.JournalUnavailable) as twin:
        await asyncio.to_thread(lambda: sync.RunReport().read_journal(url, "night"))

    assert [text for text in (*shown(away.value), *shown(twin.value)) if PASSWORD in text] == []


async def test_a_password_that_is_refused_is_in_no_frame(tmp_path: Path) -> None:
    """Frames of the Redis client hold it."""
    with running(tmp_path) as server:
        with server.client() as client:
            client.config_set("requirepass", "another")
        url = server.url.replace("redis://", f"redis://:{PASSWORD}@")
        async with bkjob.open_journal(url) as journal:
            with pytest.raises(bkjob.JournalUnavailable) as refused:
                await journal.fleets()
        async with client_of(Simulator()) as (client, _):
            with pytest.raises(bkjob.JournalUnavailable) as watch:
                async with client.watch("2:1", journal=url, name="night"):
                    pass

    assert [text for text in (*shown(refused.value), *shown(watch.value)) if PASSWORD in text] == []
