"""Help and completion are quick: they import neither aiohttp nor the simulator, and no command for the list of all."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

import click
import pytest
from click.testing import CliRunner

from bkjob_async.cli.commands import simulate
from bkjob_async.cli.commands.group import COMMANDS, bkjob
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.journal.store import ALIVE_SECONDS
from bkjob_async.simulator.faults.faults import FAULTS
from bkjob_async.simulator.world.scenarios import SCENARIOS
from tests.cli import shell

PAGE = (shell.ROOT / "bkjob_async" / "docs" / "command-line.md").read_text(encoding="utf-8")
# Runs commands one after the other; prints what each of them has imported that it should not need.
IMPORTED = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from bkjob_async.cli.entry import main
for arguments, environ in json.load(sys.stdin):
    sys.argv, before = ["bkjob", *arguments], {*sys.modules}
    os.environ.update(environ)
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(said), redirect_stderr(said):
        try:
            main()
        except SystemExit:
            pass
    heavy = [name for name in {*sys.modules} - before
             if name.split(".")[0] in ("aiohttp", "rich", "textual", "jinja2")
             or name.startswith("bkjob_async.simulator")]
    print(json.dumps(heavy), flush=True)
    for name in environ:
        del os.environ[name]
"""


def command(name: str) -> click.Command:
    """Return the command of this name."""
    found = bkjob.get_command(click.Context(bkjob), name)
    assert found is not None
    return found


def leaves(name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command, or those of a group, with their whole names."""
    found = command(name)
    if isinstance(found, click.Group):
        yield from ((f"{name} {each}", found.commands[each]) for each in found.commands)
    else:
        yield name, found


LEAVES = [leaf for name in COMMANDS for leaf in leaves(name)]


def heavy_imports(*commands: tuple[Sequence[str], Mapping[str, str]]) -> dict[str, list[str]]:
    """Return what commands of these arguments, in these environments, have imported of what they should not need."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        input=json.dumps(commands),
        cwd=shell.ROOT,
        env={**os.environ, "BKJOB_CONFIG": shell.NO_CONFIG},
        capture_output=True,
        text=True,
        check=True,
    )
    names = [" ".join([*arguments, *environ.values()]) for arguments, environ in commands]
    found = dict(zip(names, map(json.loads, done.stdout.splitlines()), strict=True))
    return {name: heavy for name, heavy in found.items() if heavy}


def test_help_needs_no_http_client() -> None:
    """It is asked for often, and scripts complete with it."""
    helps = [[*name.split(), "--help"] for name, _ in LEAVES]
    others = [["--help"], ["--version"], ["completion", "zsh"], ["config", "path"], ["config", "show"]]

    assert heavy_imports(*((words, {}) for words in (*others, *helps))) == {}


def test_completion_needs_no_http_client() -> None:
    """A key press waits for it."""
    typed = ("bkjob ", "bkjob wa", "bkjob watch --", "bkjob watch --dialect ")
    environs = [
        {
            "_BKJOB_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - (not words.endswith(" "))),
        }
        for words in typed
    ]

    assert heavy_imports(*(([], environ) for environ in environs)) == {}


def test_what_a_command_imports_is_noticed() -> None:
    """One that asks a platform needs an HTTP client."""
    words = ["status", "2:1", "--url", "http://127.0.0.1:9", "--deadline", "0.1"]

    (heavy,) = heavy_imports((["--help"], {}), (words, shell.IDENTITY)).values()

    assert "aiohttp" in heavy


def test_commands_and_options_are_completed() -> None:
    """With what click knows of them."""
    runner = CliRunner()
    complete = {"_BKJOB_COMPLETE": "bash_complete"}

    names = runner.invoke(
        bkjob, env={**complete, "COMP_WORDS": "bkjob w", "COMP_CWORD": "1"}, prog_name="bkjob"
    )
    dialects = runner.invoke(
        bkjob, env={**complete, "COMP_WORDS": "bkjob watch --dialect g", "COMP_CWORD": "3"}, prog_name="bkjob"
    )

    assert names.output.split() == ["plain,watch", "plain,wait"]
    assert dialects.output.split() == ["plain,gateway-v3", "plain,gateway-v4"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(name: str) -> None:
    """It calls the command by its name."""
    done = CliRunner().invoke(bkjob, ["completion", name])

    assert done.exit_code == 0
    assert "_BKJOB_COMPLETE" in done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_itself_says(name: str) -> None:
    """The list is a copy, so that it needs no command."""
    text = (command(name).help or "").split("\n\n")[0]

    assert " ".join(text.split()) == COMMANDS[name].help


def test_names_that_are_copied_are_those_of_the_simulator() -> None:
    """The help of `bkjob simulate` imports none of it."""
    assert tuple(SCENARIOS) == simulate.SCENARIOS
    assert tuple(FAULTS) == simulate.FAULTS


@pytest.mark.parametrize(("name", "leaf"), LEAVES, ids=[name for name, _ in LEAVES])
def test_every_option_has_a_help_text_and_stands_on_the_page(name: str, leaf: click.Command) -> None:
    """The page about the command line is complete; what many commands have stands there once."""
    options = [each for each in leaf.params if isinstance(each, click.Option)]
    section = PAGE.partition(f"\n## `bkjob {name.split(maxsplit=1)[0]}")[2].partition("\n## ")[0]
    common = PAGE.partition("\n## Settings")[2].partition("\n## ")[0]
    reported = set(re.findall(r"(--[\w-]+)", section + common))

    assert section
    assert [each.name for each in options if not each.help] == []
    assert {opt for each in options for opt in each.opts if opt.startswith("--")} - reported == set()


def test_every_exit_code_stands_on_the_page() -> None:
    """In a table of its own."""
    table = PAGE.partition("\n## Exit codes")[2]

    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == set(ExitCode)


@pytest.mark.parametrize("name", [name for name in COMMANDS if isinstance(command(name), click.Group)])
def test_the_lists_of_commands_are_whole_sentences(name: str) -> None:
    """On eighty columns: what is cut says nothing."""
    shown = CliRunner().invoke(bkjob, [name, "--help"], terminal_width=80).output

    assert "..." not in shown.partition("Commands:")[2].partition("\n\n")[0]


@pytest.mark.parametrize("name", dict.fromkeys(["", *COMMANDS, *dict(LEAVES)]))
def test_help_fits_on_eighty_columns(name: str) -> None:
    """A terminal breaks longer lines within words; only the choices of an option are one word."""
    shown = CliRunner().invoke(bkjob, [*name.split(), "--help"], terminal_width=80).output

    assert [line for line in shown.splitlines() if len(line) > 80 and "|" not in line] == []


def test_the_help_of_claim_says_after_which_silence_a_shard_is_taken() -> None:
    """As the store does."""
    claim = next(each for each in dict(LEAVES)["fleet run"].params if each.name == "claim")

    assert isinstance(claim, click.Option)
    assert f"within {ALIVE_SECONDS:.0f} s" in (claim.help or "")


def test_what_a_change_leaves_out_has_no_default() -> None:
    """`bkjob fleet set` leaves it as it is."""
    options = [each for each in dict(LEAVES)["fleet set"].params if isinstance(each, click.Option)]

    assert [each.name for each in options if "default" in (each.help or "")] == []


PAGES = sorted((shell.ROOT / "bkjob_async" / "docs").glob("*.md"))
WATCH_LINES = [
    line
    for page in PAGES
    for line in page.read_text(encoding="utf-8").splitlines()
    if re.match(r"bkjob (watch|retry) ", line)
]


@pytest.mark.parametrize("line", WATCH_LINES)
def test_a_documented_line_has_the_options_that_it_shows(line: str) -> None:
    """`--web` takes what stands behind it for a port, never a target."""
    words = shlex.split(re.split(r"[>;|]", line)[0], comments=True)

    parsed = command(words[1]).make_context(words[1], words[2:])

    assert parsed.params["targets"]
