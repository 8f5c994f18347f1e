"""A fleet that is ill says so: in its status, its metrics and findings, and to the probes of its runners."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import bkjob_async as bkjob
from bkjob_async.cli.actions.fleet.health import HealthFiles, findings
from bkjob_async.cli.actions.fleet.manage import LocalRunner
from bkjob_async.client.checks import FindingState
from bkjob_async.many.environment import ENVIRONMENT_CREDENTIALS
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.metrics import GAUGES, fleet_metrics
from bkjob_async.many.runner.shard import run_shard
from bkjob_async.many.status import LONGEST, ShardCondition, shortened
from bkjob_async.simulator.world.world import World
from tests.journal.redis_server import RedisServer
from tests.many import ill
from tests.many.fleets import OWN_CREDENTIALS, Site, site_of
from tests.many.test_shard import ENDLESS, SLOW, jobs_of

ILL = ShardCondition(term=3, store="full", platform=None, unstored=7, failure="it broke")


async def shard_that(site: Site, holds: Callable[[bkjob.ShardStatus], object]) -> bkjob.ShardStatus:
    """Return the first shard once something holds for it."""
    while True:
        shard = (await site.fleet.status()).shards[0]
        if holds(shard):
            return shard
        await asyncio.sleep(0.1)


# Conditions -----------------------------------------------------------------------------------------------------------


def test_a_condition_is_read_back_and_one_without_anything_to_say_takes_no_room() -> None:
    """What an older version stored is how a runner ended."""
    assert ShardCondition.decode(ILL.encode()) == ILL
    assert ShardCondition(term=4).encode() == ""
    assert ShardCondition.decode("") == ShardCondition()
    assert ShardCondition.decode("JournalDamaged: it broke") == ShardCondition(
        failure="JournalDamaged: it broke"
    )


def test_what_an_earlier_runner_said_is_no_trouble_of_the_present_one() -> None:
    """But how it ended stays."""
    assert ILL.in_term(3) == ILL
    assert ILL.in_term(4) == ShardCondition(term=4, failure="it broke")


def test_an_error_that_names_a_file_of_another_encoding_is_stored() -> None:
    """Python decodes the names of files to text that no encoding has."""
    condition = ShardCondition(store=shortened(OSError("/var/lib/\udce9")))

    assert ShardCondition.decode(condition.encode()).store == "/var/lib/?"


def test_an_error_is_shortened_for_the_store() -> None:
    """Whatever a server says."""
    assert len(shortened("x" * 10_000)) == LONGEST


# The status -----------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_runner_whose_environment_lacks_credentials_says_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever set it up must act."""
    for name in ("ACCESS_TOKEN", "APP_CODE", "APP_SECRET"):
        monkeypatch.delenv(f"BKJOB_{name}", raising=False)
    world = World(1)
    async with site_of(world, shards=1, credentials=ENVIRONMENT_CREDENTIALS) as site:
        site.run(0)
        await site.fleet.add(*jobs_of(world, SLOW, 4))
        shard = await shard_that(site, lambda shard: shard.platform_trouble)

        said = "set BKJOB_APP_CODE and BKJOB_APP_SECRET in the environment of this runner"
        assert said in str(shard.platform_trouble)


@pytest.mark.looptime
async def test_a_shard_that_sees_nothing_says_why() -> None:
    """Within seconds, and when it is over."""
    world = World(1)
    async with site_of(world, shards=1, interval=1.0) as site:
        site.run(0)
        await site.fleet.add(*jobs_of(world, SLOW, 4))
        well = await shard_that(site, lambda shard: shard.active == 4)
        refused = bkjob.TransportFailed(bkjob.ErrorDetails(message="connection refused", sent=False))
        site.transports[0].spoil = lambda _request, _now: refused
        troubled = await shard_that(site, lambda shard: shard.platform_trouble)
        status = await site.fleet.status()
        site.transports[0].spoil = lambda _request, _now: None
        await shard_that(site, lambda shard: not shard.is_ill)

        assert (well.is_ill, troubled.is_ill, status.ill) == (False, True, status.shards)
        assert "connection refused" in (troubled.platform_trouble or "")
        assert troubled.store_trouble is None
        assert troubled.appended is not None
        assert status.size == status.shards[0].size > 0


@pytest.mark.looptime
async def test_the_next_runner_does_not_have_the_trouble_of_the_one_before() -> None:
    """Its term is another one."""
    world = World(1)
    async with site_of(world, shards=1) as site:
        await site.fleet.add(*jobs_of(world, ENDLESS, 3))
        site.run(0)
        await shard_that(site, lambda shard: shard.active == 3)
        said = ShardCondition(term=1, store="full", unstored=9)
        await site.fleet.journal.shards.put_failure("night", 0, said.encode())
        ill_shard = await shard_that(site, lambda shard: shard.store_trouble)
        site.run(0)
        taken_over = await shard_that(site, lambda shard: shard.term == 2)

        assert (ill_shard.unstored, taken_over.unstored) == (9, 0)
        assert taken_over.store_trouble is None


@pytest.mark.looptime
async def test_a_process_that_cannot_begin_does_not_make_a_shard_fail_that_has_a_runner() -> None:
    """Not for more than about a minute, however often it happens."""
    async with site_of(World(1), shards=1) as site:
        site.run(0)
        await asyncio.sleep(120)
        for _ in range(2):
            with pytest.raises(bkjob.UsageError):
                await run_shard(site.fleet, 0, credentials="some:other")
            failed = (await site.fleet.status()).shards[0].failure
            await asyncio.sleep(70)
            (shard,) = (await site.fleet.status()).shards

            assert "UsageError" in (failed or "")
            assert (shard.term, shard.failure) == (1, None)


@pytest.mark.parametrize("kind", ["full", pytest.param("denied", marks=pytest.mark.deep)])
async def test_a_shard_that_stores_nothing_says_why(kind: str, redis_server: RedisServer) -> None:
    """Through a server that is full, and one that refuses appends alone; the runner waits, and goes on."""
    redis_server.flush()
    world = World(1)
    user = redis_server.url.replace("//", f"//runner:{ill.PASSWORD}@")
    harm = {"full": "CONFIG SET maxmemory 1", "denied": "ACL SETUSER runner -xadd"}[kind]
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "runner", "on", f">{ill.PASSWORD}", "~{bkjob:*", "+@all")
        try:
            async with site_of(world, shards=1, journal=redis_server.url, interval=0.2) as site:
                heard: list[ShardCondition] = []
                own = Fleet("night", journal=user)
                runner = asyncio.create_task(
                    run_shard(
                        own,
                        0,
                        credentials=OWN_CREDENTIALS,
                        transport=ill.transport_of(site.platform, site.clock),
                        on_condition=heard.append,
                    )
                )
                await site.fleet.add(*jobs_of(world, SLOW, 6))
                await shard_that(site, lambda shard: shard.active == 6)
                client.execute_command(*harm.split())
                troubled = await shard_that(site, lambda shard: shard.store_trouble and shard.unstored)
                client.execute_command("CONFIG", "SET", "maxmemory", "0")
                client.execute_command("ACL", "SETUSER", "runner", "+xadd")
                mended = await shard_that(site, lambda shard: not shard.is_ill)
                runner.cancel()
                await asyncio.wait([runner])
                await own.aclose()
        finally:
            client.execute_command("CONFIG", "SET", "maxmemory", "0")
            client.execute_command("ACL", "DELUSER", "runner")

    assert troubled.is_held
    assert troubled.silence < 5
    assert {True, False} == {condition.is_well for condition in heard}
    assert (mended.unstored, mended.store_trouble) == (0, None)


# What operators are given ---------------------------------------------------------------------------------------------


def status_of(*shards: bkjob.ShardStatus, is_stopped: bool = False) -> bkjob.FleetStatus:
    """Return the status of a fleet with these shards."""
    return bkjob.FleetStatus(name="night", url="http://platform", is_stopped=is_stopped, shards=shards)


WELL = bkjob.ShardStatus(shard=0, targets=5, active=2, term=1, is_held=True, silence=1.0, appended=3.5)
TROUBLED = bkjob.ShardStatus(
    shard=1, is_held=True, silence=1.0, unstored=40, store_trouble="full", platform_trouble="unreachable"
)
ENDED = bkjob.ShardStatus(shard=2, silence=31.0, failure="JournalDamaged: it broke")


def test_a_finding_names_each_cause_once_with_its_shards() -> None:
    """And who must act."""
    found = [*findings(status_of(WELL, TROUBLED, ENDED, *[bkjob.ShardStatus(shard=3, store_trouble="full")]))]

    assert [(each.step, each.state) for each in found] == [
        ("fleet", FindingState.OK),
        ("runners", FindingState.FAILED),
        ("failures", FindingState.FAILED),
        ("store", FindingState.FAILED),
        ("platform", FindingState.FAILED),
    ]
    assert all(each.act for each in found[1:])
    assert "shard 1, 3: full" in found[3].text


def test_nothing_is_wrong_with_a_fleet_that_is_well_or_was_stopped() -> None:
    """A stopped one says how it is started."""
    assert {each.state for each in findings(status_of(WELL))} == {FindingState.OK}
    assert [each.state for each in findings(status_of(ENDED, is_stopped=True))] == [FindingState.WARNING]
    assert status_of(ENDED, is_stopped=True).ill == ()


def test_the_metrics_have_a_gauge_for_each_fact_of_each_shard() -> None:
    """What is not known has no sample; a stopped fleet has none that a rule looks at."""
    lines = fleet_metrics(status_of(WELL, TROUBLED)).splitlines()

    assert 'bkjob_fleet_store_trouble{fleet="night",shard="1"} 1' in lines
    assert 'bkjob_fleet_store_trouble{fleet="night",shard="0"} 0' in lines
    assert 'bkjob_fleet_append_age_seconds{fleet="night",shard="0"} 3.5' in lines
    assert not any("append_age_seconds{" in line and 'shard="1"' in line for line in lines)
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == {
        "bkjob_fleet_stopped",
        *(f"bkjob_fleet_{name}" for name in GAUGES),
    }
    assert fleet_metrics(status_of(ENDED, is_stopped=True)).splitlines()[2:] == [
        'bkjob_fleet_stopped{fleet="night"} 1'
    ]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="install Debian's `prometheus`")
def test_promtool_accepts_the_metrics_of_a_fleet() -> None:
    """Names, types and help texts are as Prometheus wants them."""
    done = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607 - found above
        input=fleet_metrics(status_of(WELL, TROUBLED, ENDED)).encode(),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


async def test_probes_find_alive_while_the_loop_turns_and_ready_while_all_shards_are_well(
    tmp_path: Path,
) -> None:
    """Neither is left behind."""
    files = HealthFiles(tmp_path / "health", (0, 1))
    alive, ready = tmp_path / "health" / "alive", tmp_path / "health" / "ready"
    with files.kept():
        await asyncio.sleep(0)
        files.observer_of(0)(ShardCondition())
        half_ready = ready.exists()
        files.observer_of(1)(ShardCondition(unstored=5000))
        is_ready = alive.exists() and ready.exists()
        files.observer_of(1)(ShardCondition(store="full"))
        is_ill = alive.exists() and not ready.exists()
        files.note(1, is_well=True)

    assert (half_ready, is_ready, is_ill) == (False, True, True)
    assert not alive.exists()
    assert not ready.exists()


@pytest.mark.deep
@pytest.mark.parametrize("kind", ill.KINDS)
async def test_an_operator_sees_within_seconds_that_the_fleet_is_ill_and_that_it_is_well_again(
    kind: str, tmp_path: Path
) -> None:
    """With real processes and a real Redis; what is printed is what an operator would see."""
    seen = await ill.run(kind, tmp_path)

    assert min(seen.exits[3]) < 6
    # `check` names a remedy; Redis is back before it, where it was killed or another server takes over.
    assert "→" in seen.said or kind in ("killed", "failover")
    assert ill.PASSWORD not in seen.said


@pytest.mark.looptime
async def test_a_shard_lives_without_the_files_for_probes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their folder is made again; where it cannot be, that is said once."""
    world, folder = World(1), tmp_path / "health"
    async with site_of(world, shards=1) as site:
        files = HealthFiles(folder, (0,))
        with files.kept():
            runner = site.run(0, on_condition=files.observer_of(0))
            await asyncio.sleep(5)
            shutil.rmtree(folder)
            await asyncio.sleep(5)
            is_there = [(folder / name).exists() for name in ("alive", "ready")]
            shutil.rmtree(folder)
            folder.write_text("in its place")
            await asyncio.sleep(20)
            is_running = not runner.done()
            folder.unlink()
            await asyncio.sleep(5)
            is_there += [(folder / name).exists() for name in ("alive", "ready")]

    assert is_running
    assert is_there == [True] * 4
    assert capsys.readouterr().err.count("the files for probes cannot be written") == 1


@pytest.mark.looptime
async def test_a_process_is_ready_again_when_its_ill_shard_is_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it was cut off from the store: its other shard is well, and what was said last of the first one stayed."""
    async with site_of(World(1), shards=2) as site:
        files = HealthFiles(tmp_path, (0, 1))

        async def run_here(
            fleet: Fleet, shard: int, *, on_condition: Callable[[ShardCondition], None], **_options: object
        ) -> bkjob.ShardEnd:
            ill = ShardCondition(store="away")
            return await site.run(
                shard, fleet, on_condition=on_condition if shard else lambda _: on_condition(ill)
            )

        monkeypatch.setattr("bkjob_async.run_shard", run_here)
        with files.kept():
            runner = LocalRunner(site.fleet, {}, files)
            runs = [asyncio.create_task(runner.run_again(shard)) for shard in range(2)]
            await asyncio.sleep(10)
            was_ready = (tmp_path / "ready").exists()
            site.run(0)
            await asyncio.sleep(10)
            is_ready = (tmp_path / "ready").exists()
        await site.fleet.stop()
        ends = await asyncio.gather(*runs)

    assert (was_ready, is_ready) == (False, True)
    assert ends == [bkjob.ShardEnd.SUPERSEDED, bkjob.ShardEnd.STOPPED]


def test_a_folder_for_probes_that_cannot_be_made_is_wrong_usage(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "file").write_text("")

    with pytest.raises(bkjob.UsageError, match=r"--health .*health: Not a directory"):
        HealthFiles(tmp_path / "file" / "health", (0,))
