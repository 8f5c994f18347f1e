"""The README is right: its commands, its example, its tables; and those that it leads to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bkjob_async.cli.commands.group import COMMANDS
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.dialects.registry import DIALECTS
from bkjob_async.model.events_json import KINDS

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
