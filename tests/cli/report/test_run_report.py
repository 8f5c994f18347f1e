"""A report is made of what a watch, a journal or a file has, by the same class that the command uses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import FAILING, client_of

pytestmark = pytest.mark.looptime

# What differs between a watch and a reader of its journal or lines: both begin to count where they begin to read.
COUNTED = ("hosts", "jobs", "causes", "failed", "steps", "verdict")


def figures(report: bkjob.RunReport) -> dict[str, Any]:
    """Return the figures that are those of the run itself."""
    found = json.loads(report.text("json"))
    return {name: found[name] for name in COUNTED}


async def test_a_watch_its_journal_and_its_lines_give_one_report(tmp_path: Path) -> None:
    """The same figures from all three."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    url = f"sqlite:///{tmp_path}/fleet.db"
    of_watch, of_journal, of_lines = bkjob.RunReport(), bkjob.RunReport(), bkjob.RunReport([job])
    lines = list[bytes]()
    async with client_of(simulator) as (client, _), client.watch(job, journal=url, name="night") as watch:
        async for batch in watch.batches():
            of_watch.apply(batch)
            lines += [json.dumps(bkjob.to_json(event)).encode() for event in batch.events]
    await of_journal.read_journal(url, "night")
    of_lines.read_lines([*lines, b"no event"])

    assert str(of_watch) == "1 of 3 hosts failed"
    assert figures(of_watch) == figures(of_journal) == figures(of_lines)
    assert (of_lines.damaged_lines, of_watch.is_empty) == (1, False)
    assert "<html" in of_watch.text(title="night")
    assert of_watch.text("md", title="night").startswith("**")


async def test_what_is_in_no_report_is_said(tmp_path: Path) -> None:
    """Other formats, other fleets, other lines."""
    report = bkjob.RunReport(["2:404"])

    assert report.is_empty
    with pytest.raises(bkjob.UsageError, match="a report is html, md, json, junit, not 'pdf'"):
        report.text("pdf")
    with pytest.raises(bkjob.UsageError, match="no line is an event"):
        report.read_lines([b"{}"])
    with pytest.raises(bkjob.JournalError):
        await report.read_journal(f"sqlite:///{tmp_path}/none.db", "night")


async def test_a_duration_that_makes_no_sense_is_no_damage(tmp_path: Path) -> None:
    """A response may have any number of milliseconds; a report is made of it, and of the journal that has it."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    url = f"sqlite:///{tmp_path}/fleet.db"
    of_watch, of_journal = bkjob.RunReport(), bkjob.RunReport()
    async with (
        client_of(simulator, transport=Senseless(simulator)) as (client, _),
        client.watch(job, journal=url, name="night") as watch,
    ):
        async for batch in watch.batches():
            of_watch.apply(batch)
    await of_journal.read_journal(url, "night")

    assert str(of_watch) == str(of_journal) == "1 of 3 hosts failed"
    assert {each for each in ("html", "md", "json", "junit") if not of_journal.text(each)} == set()


class Senseless:
    """The transport of a platform in whose responses everything took millions of years."""

    def __init__(self, simulator: Simulator) -> None:
        self._transport = simulator.transport()

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - as a transport
        """Return the response with other durations."""
        response = await self._transport.send(request, timeout=timeout)
        body = re.sub(rb'"total_time": ?[0-9.]+', b'"total_time":900000000000000000', response.body)
        return HttpResponse(status=response.status, body=body)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()
