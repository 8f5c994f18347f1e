"""What keeps shards placed on Dask, with a scheduler and workers in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.journal.shards import shard_name
from bkjob_async.journal.store import Holder
from tests.journal.stores import sqlite_url
from tests.many.dask_cluster import require_dask
from tests.many.fleets import OWN_CREDENTIALS
from tests.watch.clients import URLS


@pytest.fixture
def on_dask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the module, where Dask is installed; workers name the function that fleets of these tests name."""
    require_dask()
    monkeypatch.setenv("BKJOB_CREDENTIALS", OWN_CREDENTIALS)
    from bkjob_async.many import on_dask  # noqa: PLC0415 - only where Dask is installed

    return on_dask


@frozen
class Placed:
    """A fleet, and a scheduler whose workers are in this process."""

    fleet: bkjob.Fleet
    cluster: Any
    module: Any

    def keep(self) -> asyncio.Task[None]:
        """Keep the fleet placed."""
        return asyncio.create_task(self.module.keep_placed(self.fleet, self.cluster.scheduler_address))

    async def has_runners(self, count: int) -> None:
        """Wait until so many shards have runners."""
        async with asyncio.timeout(30):
            while len((await self.fleet.status()).held) < count:  # noqa: ASYNC110 - the store sets no event
                await asyncio.sleep(0.05)

    async def keys(self) -> set[str]:
        """Return the keys of all tasks."""
        return {str(key) for key in self.cluster.scheduler.tasks}


@asynccontextmanager
async def placed_in(
    folder: Path, module: Any, *, shards: int = 2, slots: int = 2, credentials: str = OWN_CREDENTIALS
) -> AsyncIterator[Placed]:
    """Run a scheduler and two workers in this process, over a journal in a file."""
    url = sqlite_url(folder)
    async with (
        bkjob.Fleet("night", journal=url, shards=shards) as fleet,
        module.distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=slots,
            processes=False,
            asynchronous=True,
            dashboard_address="127.0.0.1:0",
            resources={"bkjob": slots},
        ) as cluster,
    ):
        await fleet.create(url=URLS["gateway-v3"], credentials=credentials)
        yield Placed(fleet, cluster, module)


async def ended(keeping: asyncio.Task[None]) -> None:
    """Wait for a launcher whose fleet was stopped."""
    async with asyncio.timeout(30):
        await keeping


async def test_shards_are_placed_once_and_stopped(tmp_path: Path, on_dask: Any) -> None:
    """By two launchers; each ends when the fleet is stopped."""
    async with placed_in(tmp_path, on_dask) as placed:
        launchers = [placed.keep(), placed.keep()]
        await placed.has_runners(2)
        assert await placed.keys() == {"bkjob-night-0", "bkjob-night-1"}
        assert [shard.term for shard in (await placed.fleet.status()).shards] == [1, 1]
        await placed.fleet.stop()
        for launcher in launchers:
            await ended(launcher)
        assert (await placed.fleet.status()).held == ()


async def test_a_task_that_fails_is_submitted_again_under_another_key(
    tmp_path: Path, on_dask: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warning has the error, and when the next attempt is."""
    monkeypatch.setattr(on_dask.upkeep, "pause_before", lambda failures: 0.1 * failures)
    monkeypatch.setenv("BKJOB_CREDENTIALS", "tests.many.fleets:nobody")
    async with placed_in(tmp_path, on_dask, shards=1, credentials="tests.many.fleets:nobody") as placed:
        keeping = placed.keep()
        async with asyncio.timeout(30):
            while sum("ended" in record.getMessage() for record in caplog.records) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        submitted = {key for key in await placed.keys() if key.startswith("bkjob-night-0")}
        await placed.fleet.stop()
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping

    assert any("shard night/0 ended (RuntimeError: UsageError: there is no function" in text for text in said)
    assert any(text.endswith("again in 0.2 s") for text in said)
    assert submitted <= {f"bkjob-night-0{suffix}" for suffix in ("", "~1", "~2", "~3", "~4", "~5")}


@pytest.mark.slow
async def test_a_shard_that_another_runner_has_is_left_to_it(
    tmp_path: Path, on_dask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until that one has gone; then it is placed again."""
    monkeypatch.setattr(on_dask.upkeep, "pause_before", lambda _failures: 0.1)
    monkeypatch.setattr(on_dask, "OTHER_SECONDS", 0.1)
    async with placed_in(tmp_path, on_dask, shards=1) as placed:
        keeping = placed.keep()
        await placed.has_runners(1)
        store, name = placed.fleet.journal.store, shard_name("night", 0)
        other = await store.open(name, Holder("elsewhere", 1), take_over=True)
        for _ in range(20):
            await asyncio.sleep(0.1)
            await store.give_sign_of_life(name, term=other.term)
        entry = await store.fleet(name)
        assert entry is not None
        assert (entry.term, entry.holder.host) == (other.term, "elsewhere")
        await store.release(name, term=other.term)
        async with asyncio.timeout(30):
            while (await placed.fleet.status()).shards[0].term == other.term:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await placed.fleet.stop()
        await ended(keeping)


async def test_too_few_workers_are_an_error_and_just_enough_a_warning(
    tmp_path: Path, on_dask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Both have the numbers."""
    async with placed_in(tmp_path, on_dask, shards=5) as placed:
        with pytest.raises(bkjob.UsageError, match=r"2 worker\(s\) have 4 slot\(s\) for 5 shard\(s\)"):
            await placed.keep()
    other = tmp_path / "other"
    other.mkdir()
    async with placed_in(other, on_dask, shards=3) as placed:
        keeping = placed.keep()
        await placed.has_runners(3)
        await placed.fleet.stop()
        await ended(keeping)
    assert any("but not without the largest worker, which has 2" in r.getMessage() for r in caplog.records)


async def test_a_scheduler_that_is_away_is_tried_again_and_reported_once(
    tmp_path: Path,
    on_dask: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    loop_errors: list[dict[str, Any]],
) -> None:
    """The fleet may be stopped meanwhile."""
    monkeypatch.setattr(on_dask, "RECONNECT_SECONDS", 0.05)
    async with bkjob.Fleet("night", journal=sqlite_url(tmp_path), shards=1) as fleet:
        await fleet.create(url=URLS["gateway-v3"], credentials=OWN_CREDENTIALS)
        with import_module("dask").config.set({"distributed.comm.timeouts.connect": "0.2s"}):
            keeping = asyncio.create_task(on_dask.keep_placed(fleet, "tcp://127.0.0.1:1"))
            await asyncio.sleep(2)
            await fleet.stop()
            await ended(keeping)

    said = [record.getMessage() for record in caplog.records if "is tried again" in record.getMessage()]
    assert len(said) == 1
    # Dask leaves the result of a connection untaken whose time ended while it was tried.
    loop_errors[:] = [error for error in loop_errors if not isinstance(error.get("exception"), TimeoutError)]


async def test_what_runs_on_a_worker(tmp_path: Path, on_dask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a shard ended, or an error as text; the journal is that of the environment where none is given."""
    url = sqlite_url(tmp_path)
    async with bkjob.Fleet("night", journal=url, shards=1) as fleet:
        await fleet.create(url=URLS["gateway-v3"], credentials=OWN_CREDENTIALS)
        await fleet.stop()

    assert await on_dask.run_placed("night", url, 0) == "stopped"
    monkeypatch.setenv(on_dask.VARIABLE, url)
    assert await on_dask.run_placed("night", None, 0) == "stopped"
    monkeypatch.delenv("BKJOB_CREDENTIALS")
    with pytest.raises(
        RuntimeError, match=f"UsageError: .* BKJOB_CREDENTIALS={OWN_CREDENTIALS} to the environment"
    ):
        await on_dask.run_placed("night", url, 0)
    with pytest.raises(RuntimeError, match=r"UsageError: the fleet 'night' has the shards 0 to 0, not 4"):
        await on_dask.run_placed("night", url, 4)
    with pytest.raises(RuntimeError, match="FleetNotFound"):
        await on_dask.run_placed("other", url, 0)
    monkeypatch.delenv(on_dask.VARIABLE)
    with pytest.raises(RuntimeError, match="set BKJOB_JOURNAL"):
        await on_dask.run_placed("night", None, 0)


async def test_a_journal_that_does_not_answer_has_not_stopped_the_fleet(on_dask: Any) -> None:
    """Launchers go on."""
    async with bkjob.Fleet("night", journal="redis://127.0.0.1:1") as fleet:
        assert not await on_dask.is_stopped(fleet)
