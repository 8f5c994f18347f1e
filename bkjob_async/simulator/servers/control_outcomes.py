"""Fates in the JSON of the control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkjob_async.simulator.world.launch_outcomes import LaunchFates
from bkjob_async.simulator.world.plans import GREEN, RED, HostOutcome, exactly

FATE_NAMES = ("status", "tag", "exit_code", "log", "runs")
LAUNCH_NAMES = ("hosts", "others", "name", "times")


def fate_from(given: Mapping[str, Any], usual: HostOutcome) -> HostOutcome:
    """Return a fate; what is not given is *usual*. A status of null runs for ever, *runs* is seconds; ValueError."""
    refuse_unknown(given, FATE_NAMES)
    status = given.get("status", usual.status)
    exit_code = given.get("exit_code", usual.exit_code)
    return HostOutcome(
        status=None if status is None else int(status),
        tag=str(given.get("tag", "")),
        exit_code=None if exit_code is None else int(exit_code),
        log=str(given.get("log", usual.log)),
        runs=exactly(float(given["runs"])) if "runs" in given else usual.runs,
    )


def launch_fates_from(given: Mapping[str, Any]) -> LaunchFates:
    """Return fates for launches; a fate with a status but 9 takes the rest from a failed one; ValueError."""
    refuse_unknown(given, LAUNCH_NAMES)
    times, name = given.get("times", 1), given.get("name")
    if times is not None and int(times) < 1:
        raise ValueError("times is 1 or more, or null for all launches")
    return LaunchFates(
        hosts={str(label): launched_fate(fate) for label, fate in dict(given.get("hosts") or {}).items()},
        others=launched_fate(given.get("others") or {}),
        name=None if name is None else str(name),
        times=None if times is None else int(times),
    )


def launched_fate(given: Mapping[str, Any]) -> HostOutcome:
    """Return the fate of a host of a launch."""
    return fate_from(given, GREEN if given.get("status", GREEN.status) == GREEN.status else RED)


def refuse_unknown(given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuse a word that means nothing here: a slip of the pen would go unseen."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"unknown: {', '.join(map(str, unknown))}; there are: {', '.join(names)}")


def launch_fates_told(fates: LaunchFates) -> dict[str, Any]:
    """Tell fates that wait for launches."""
    return {
        "hosts": {label: {"status": fate.status, "tag": fate.tag} for label, fate in fates.hosts.items()},
        "others": {"status": fates.others.status, "tag": fates.others.tag},
        "name": fates.name,
        "times": fates.times,
    }
