"""Check the way to the platform, and write a line for each step."""

from __future__ import annotations

from bkjob_async import Finding, FindingState, to_json
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_out
from bkjob_async.client.checks import Way, findings
from bkjob_async.configuration.connecting import http_options
from bkjob_async.configuration.gathering import DEFAULT_DIALECT
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.text.printing import printable


async def check(settings: Settings, *, as_json: bool) -> ExitCode:
    """Write a line for each step; stop where the next one cannot succeed."""
    way = Way(
        url=settings.url,
        dialect=settings.get("dialect", DEFAULT_DIALECT),
        scope=settings.scope,
        rate=settings.get("rate"),
        http=http_options(settings),
        client=lambda: client_of(settings),
    )
    return max([write_finding(finding, as_json=as_json) async for finding in findings(way)])


def write_finding(finding: Finding, *, as_json: bool) -> ExitCode:
    """Write a finding as JSON, or as text and who must act; return the exit code that it stands for."""
    if as_json:
        write_out(json_text(to_json(finding)))
    else:
        write_out(f"{finding.state:<8} {finding.step:<12} {printable(finding.text)}".rstrip())
        if finding.act:
            write_out(f"{'':<8} {'':<12} → {finding.act}")
    return ExitCode.COULD_NOT_WATCH if finding.state is FindingState.FAILED else ExitCode.ALL_SUCCEEDED
