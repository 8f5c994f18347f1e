"""The README is right: its commands, its example, its tables; and those that it leads to."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

from bkjob_async.cli.commands.group import COMMANDS
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.dialects.names import DIALECTS
from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    DeadlineExceeded,
    InvalidResponse,
    NotAuthenticated,
)
from bkjob_async.model.json_values import KINDS
from bkjob_async.simulator.faults.faults import FAULTS, ActiveFault, Fault, error_response, html_page
from bkjob_async.simulator.simulator import Simulator
from tests.journal.redis_server import free_port

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVENTS, COMMAND_LINE = (
    (ROOT / "bkjob_async" / "docs" / page).read_text(encoding="utf-8")
    for page in ("events.md", "command-line.md")
)
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


FIRST, *_, SECOND = (block.strip() for block in blocks("sh"))


def test_the_second_command_is_what_ci_runs() -> None:
    """Word for word, as the last line of the script."""
    assert CI.splitlines()[-1] == SECOND
    assert SECOND.endswith("-m tests")
    assert "bkjob demo" in FIRST


def endings(text: str) -> list[str]:
    """Return lines without the state that a host was in before: a busy machine looks less often."""
    return [re.sub(r"\S+ →", "→", line) for line in text.splitlines()]


def test_the_first_program_runs_as_it_stands() -> None:
    """Copied from the page, they print what the page says, among the rest."""
    (lines,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", lines],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    # asyncio's debug mode remarks on every pause of a busy machine; that is no warning.
    assert [line for line in done.stderr.splitlines() if not line.startswith("Executing <")] == []
    assert set(endings(blocks("text")[0])) <= set(endings(done.stdout))
    assert len(done.stdout.splitlines()) >= 12 + 3


@frozen
class WrongSite:
    """A site that the program cannot work with: what answers in place of the platform, or where nothing does.

    *error* is what the program ends with, *remedy* what its message says is to be done. *seconds* are those of the program's
    own deadline where the platform may come back, else those in which nothing could be read.
    """

    error: type[Exception]
    remedy: str
    fault: Fault | None = None
    secret: str | None = None
    forbidden: frozenset[str] = frozenset()
    host: str | None = None
    seconds: float = 30.0


READ_THE_URL = "check the URL, proxies and the dialect: this is not the platform's response"
READ_THE_NETWORK = "check the network and the URL"
UNKNOWN_API = error_response(1640401, 'API not found [path="/api/bk-job/wrong"]', status=404, by="gateway")
WRONG_SITES = {
    "wrong secret": WrongSite(
        NotAuthenticated,
        "check the application code, the secret and the user, or the access token",
        secret="another",
    ),
    "missing grant": WrongSite(
        ApplicationNotAllowed,
        "apply for the API permission of the application at the gateway",
        forbidden=frozenset({"get_job_instance_status", "get_step_instance_status"}),
    ),
    "unknown API": WrongSite(
        ApiNotFound,
        "check the URL, the stage and the dialect: this API does not exist there",
        fault=Fault(name="unknown-api", replacement=UNKNOWN_API),
    ),
    "HTML 404": WrongSite(
        InvalidResponse, READ_THE_URL, fault=Fault(name="not-found", replacement=html_page(404, "Not Found"))
    ),
    "login page": WrongSite(InvalidResponse, READ_THE_URL, fault=FAULTS["login-page"]),
    "refused port": WrongSite(DeadlineExceeded, READ_THE_NETWORK, host="127.0.0.1", seconds=60.0),
    "unknown host": WrongSite(DeadlineExceeded, READ_THE_NETWORK, host="bkapi.invalid", seconds=60.0),
}
# Before the program: what it says last is for how long it ran.
TIMED = """
import atexit, sys, time
import bkjob_async.testing
atexit.register(lambda begun: print(time.monotonic() - begun, file=sys.stderr), time.monotonic())
"""


async def say_of(site: WrongSite) -> tuple[str, list[str]]:
    """Run the first program with the URL of a wrong site; return its output, and the lines on stderr."""
    simulator = Simulator("some-fail", speed=3)
    simulator.site.app_secret = site.secret
    simulator.site.forbidden_apis |= site.forbidden
    simulator.platform.faults += [] if site.fault is None else [ActiveFault(site.fault)]
    (lines,) = blocks("python")
    assert lines.count("platform.url") == 1
    async with simulator.serve() as platform:
        url = platform.url if site.host is None else f"http://{site.host}:{free_port()}/api/bk-job/prod"
        program = TIMED + lines.replace("platform.url", repr(url))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = await process.communicate()
    return output.decode(), errors.decode().splitlines()


@pytest.fixture(scope="module")
def said() -> dict[str, tuple[str, list[str]]]:
    """Give what the first program says of each wrong site; all are tried at the same time."""

    async def say_of_all() -> list[tuple[str, list[str]]]:
        return await asyncio.gather(*map(say_of, WRONG_SITES.values()))

    return dict(zip(WRONG_SITES, asyncio.run(say_of_all()), strict=True))


@pytest.mark.deep
@pytest.mark.parametrize("name", WRONG_SITES)
def test_the_first_program_says_what_is_wrong_with_a_site(
    said: dict[str, tuple[str, list[str]]], name: str
) -> None:
    """At once in a warning, and in the error that it ends with: what failed, and what is to be done."""
    site, (output, [warning, *_, last, seconds]) = WRONG_SITES[name], said[name]

    assert output == ""
    assert warning.startswith(("2:20000000001: ", "the only target: "))
    assert warning.endswith(site.remedy)
    assert last.startswith(f"bkjob_async.errors.{site.error.__name__}: ")
    assert last.endswith(site.remedy)
    assert site.seconds - 1.0 < float(seconds) < site.seconds + 60.0


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_key_of_every_line_is_documented(kind: type) -> None:
    """The table of kinds names what a line holds."""
    row = next(line for line in EVENTS.splitlines() if line.startswith(f"| `{kind.kind}`"))  # type: ignore[attr-defined]
    fields = set(kind.__annotations__) - {"kind", "ref", "cursor"}

    assert fields <= set(re.findall(r"`(\w+)`", row))


def test_every_command_is_documented() -> None:
    """The table of commands is complete; their options stand on the page about the command line."""
    rows = "\n".join(line for line in README.splitlines() if line.startswith("| `bkjob "))

    assert [name for name in COMMANDS if f"`bkjob {name}" not in rows and f"`{name}" not in rows] == []


def test_every_exit_code_is_documented() -> None:
    """The table of exit codes is complete."""
    table = COMMAND_LINE.partition("| code |")[2].partition("\n\n")[0]

    assert {
        int(code)
        for code in re.findall(r"^\| (\d+)(?:, (\d+))? \|", table, re.MULTILINE)
        for code in code
        if code
    } == set(ExitCode)


def test_every_dialect_is_named() -> None:
    """In the last release's lines and in the Chinese half-page."""
    assert all(README.count(f"`{name}`") >= 2 for name in DIALECTS)
