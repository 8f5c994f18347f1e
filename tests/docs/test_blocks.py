"""Every code block runs, and every command is one that exists.

The language of a block says how: `python` is a program or a pytest module as it stands, `pycon` what is typed into
`python -m asyncio` (the examples of a page share one simulated platform), `py` the text of a file in a folder
`examples` of the tests, `sh` commands; `json`, `yaml`, `toml` and `ini` are parsed. `text` is no code.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from bkjob_async.cli.commands.group import bkjob
from tests.docs.pages import BLOCKS, PAGES, ROOT, Block, blocks_in
from tests.docs.session import failures, platform

EXAMPLES = {path.read_text(encoding="utf-8"): path for path in (ROOT / "tests").rglob("examples/*.py")}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
LANGUAGES = {"python", "pycon", "py", "sh", "json", "yaml", "toml", "ini", "text", "html", "promql"}
# Blocks that Sphinx reads.
DIRECTIVE = re.compile(r"\{[\w-]+\}")
# Commands of others that pages may show.
FOREIGN = {"pre-commit", "promtool", "redis-server", "chromium"}
# Words that only code has.
CODE = re.compile(
    r"^\s*(?:async (?:with|for|def)|await|import|from \w+ import|def|with|for .* in .*:)\b", re.MULTILINE
)


def test_every_block_says_how_it_runs() -> None:
    """A block without a language, or code that is called text, would run nowhere."""
    unknown = [str(b) for b in BLOCKS if b.language not in LANGUAGES and not DIRECTIVE.fullmatch(b.language)]
    code = [str(b) for b in BLOCKS if b.language == "text" and CODE.search(b.text)]

    assert (unknown, code) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks_in("python"), ids=str)
def test_programs_run_as_they_stand(block: Block, tmp_path: Path) -> None:
    """In an empty folder; what imports pytest is a module of tests that pass."""
    path = tmp_path / "test_example.py"
    path.write_text(block.text, encoding="utf-8")
    if "import requests" in block.text:
        pytest.importorskip("requests")
    is_suite = "import pytest" in block.text
    how = (
        ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
        if is_suite
        else ["-X", "dev", "-W", "error", path.name]
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *how], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.looptime
@pytest.mark.parametrize(
    "page", sorted({block.page for block in blocks_in("pycon")}), ids=lambda page: page.name
)
async def test_what_is_typed_prints_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page follow each other, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    async with platform() as names:
        for block in blocks_in("pycon"):
            if block.page == page:
                assert await failures(block.text, names, str(block)) == []


def test_longer_code_is_that_of_tested_examples() -> None:
    """Copied from a file that a test runs."""
    assert [str(block) for block in blocks_in("py") if block.text not in EXAMPLES] == []


def test_every_example_is_shown() -> None:
    """And nothing is tested as an example that no page shows."""
    shown = {block.text for block in blocks_in("py")}

    assert (
        sorted(
            path.name for text, path in EXAMPLES.items() if text not in shown and path.name != "__init__.py"
        )
        == []
    )


@pytest.mark.parametrize("block", blocks_in("json", "toml", "yaml", "ini"), ids=str)
def test_data_can_be_read(block: Block) -> None:
    """JSON may be several lines, one object each."""
    if block.language == "toml":
        assert tomllib.loads(block.text)
    elif block.language == "ini":
        parser = ConfigParser(interpolation=None)
        parser.read_string(block.text)
        assert parser.sections()
    elif block.language == "json":
        try:
            json.loads(block.text)
        except json.JSONDecodeError:
            assert [json.loads(line) for line in block.text.splitlines()]
    else:
        assert pytest.importorskip("yaml").safe_load(block.text)


def test_commands_exist() -> None:
    """With their options, modules and extras."""
    commands = [line for block in blocks_in("sh") for line in commands_of(block.text)]

    assert [line for line in commands if wrong_with(line)] == []


def commands_of(text: str) -> Iterator[list[str]]:
    """Yield the words of each command."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        words: list[str] = []
        for word in shlex.split(line, comments=True):
            if word in {"&&", "|", ";", "||", "&"}:
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


def wrong_with(words: list[str]) -> str | None:
    """Return what is wrong with a command, None for nothing."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words:
        return None
    name = words[0].rpartition("/")[2]
    if name == "bkjob":
        return wrong_call(words[1:])
    if name in {"python", "python3"}:
        return wrong_module(words[1:])
    if name == "pip":
        return wrong_extra(words[1:])
    return None if name in {"export", "read", "cd", "git", *FOREIGN} else f"nobody knows {name}"


def wrong_call(words: list[str]) -> str | None:
    """Return what is wrong with the arguments of `bkjob`."""
    command: click.Command = bkjob
    path = ["bkjob"]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return f"no command {words[0]}"
        command, path, words = found, [*path, words[0]], words[1:]
    if isinstance(command, click.Group):
        return None if set(words) <= {"--help", "-h", "--version"} else f"{path} needs a command"
    if set(words) & {"--help", "-h"}:
        return None
    words = words[: words.index(">")] if ">" in words else words
    try:
        command.make_context(" ".join(path), [*words])
    except click.ClickException as error:
        return error.format_message()
    return None


def wrong_module(words: list[str]) -> str | None:
    """Return what is wrong with `python -m MODULE`."""
    if words[:1] != ["-m"] or len(words) < 2:
        return "python without -m"
    if words[1] == "pip":
        return wrong_extra(words[2:])
    return None if importlib.util.find_spec(words[1]) else f"no module {words[1]}"


def wrong_extra(words: list[str]) -> str | None:
    """Return what is wrong with the extras that are installed."""
    for word in words:
        if found := re.fullmatch(r"(?:bkjob-async|\.)\[([\w,-]+)\]", word):
            missing = {*found[1].split(",")} - EXTRAS.keys()
            if missing:
                return f"no extra {', '.join(missing)}"
    return None


@pytest.mark.parametrize(
    "line",
    [
        "bkjob watch --biz 2 100 --no-such-option",
        "bkjob no-such-command",
        "bkjob watch --interval soon --biz 2 100",
        "python -m tests.nothing",
        "pip install 'bkjob-async[nothing]'",
        "kubectl apply",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    """The check bites."""
    (words,) = commands_of(line)

    assert wrong_with(words)


def test_all_pages_are_looked_at() -> None:
    """The README, the guide, the pages of rooms and those for contributors."""
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}

    assert {"README.md", "bkjob_async/ARCHITECTURE.md", "bkjob_async/simulator/README.md"} <= names
    assert {"bkjob_async/docs/index.md", ".github/CONTRIBUTING.md"} <= names
