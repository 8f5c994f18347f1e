"""Names in backticks exist: public names, methods, arguments, options, metrics, files and environment variables."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import click
import pytest

import bkjob_async as bkjob
from bkjob_async.cli.commands.group import COMMANDS
from bkjob_async.cli.commands.group import bkjob as group
from bkjob_async.dialects.names import DIALECTS
from bkjob_async.simulator.faults.faults import FAULTS
from bkjob_async.simulator.world.scenarios import SCENARIOS
from tests.docs.pages import FENCE, PACKAGE, PAGES, ROOT
from tests.public_names import PUBLIC

# The changelog names what earlier versions had, the architecture page has a test of its own.
CHECKED = [page for page in PAGES if page.name not in {"changelog.md", "ARCHITECTURE.md", "architecture.md"}]
OBJECTS = {"client": bkjob.JobClient, "watch": bkjob.Watch, "bkjob": bkjob, "journal": bkjob.Journal}
# Other packages, and what code did with them.
FOREIGN = {
    "bkapi-client-core",
    "bkapi-component-open",
    "client.api.get_job_instance_status({...})",
    "client.update_bkapi_authorization(...)",
    # of the project's own tools
    "--small",
    "--whole",
    "pycon",
    "sh",
    "SEQUENCE-0",
}
# Commands have tests of their own.
COMMAND = re.compile(r"(?:bkjob|pip|pytest|pre-commit|python -m) |\.venv/|-m ")


@cache
def words_of_package() -> frozenset[str]:
    """Return every name and every short text that the package defines or uses."""
    found: set[str] = set()
    for path in (
        *PACKAGE.rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "benchmarks").rglob("*.py"),
    ):
        if path.name == Path(__file__).name:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(name)
                case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                    found.add(name)
                case ast.keyword(arg=str(name)):
                    found.add(name)
                case ast.Constant(value=str(text)):
                    found.update(re.findall(r"[\w-]+", text))
    return frozenset(found)


@cache
def words_of_commands() -> frozenset[str]:
    """Return every option of every command, and the words that options take."""
    found = {"--help", "--version"} | {kind.name.lower().replace("_", "-") for kind in bkjob.StepOperation}
    waiting: list[click.Command] = [group]
    while waiting:
        command = waiting.pop()
        found.update(
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        )
        if isinstance(command, click.Group):
            subcommands = (
                command.get_command(click.Context(command), name)
                for name in command.list_commands(click.Context(command))
            )
            waiting += [each for each in subcommands if each is not None]
    return frozenset(found)


@cache
def metrics() -> frozenset[str]:
    """Return the name of every metric, as it is scraped, and of every alert."""
    tables = import_module("bkjob_async.observe.to_prometheus")
    alerts = re.findall(r"alert: (\w+)", (PACKAGE / "observe" / "alerts.yml").read_text(encoding="utf-8"))
    counters = {f"{name}_total" for name in tables.COUNTERS}
    fleets = {f"bkjob_fleet_{name}" for name in import_module("bkjob_async.many.metrics").GAUGES}
    return frozenset({*counters, *tables.HISTOGRAMS, *tables.GAUGES, *fleets, *alerts})


def has(owner: object, path: list[str]) -> bool:
    """Return True if an object has an attribute, or a field, of such a path."""
    for name in path:
        if hasattr(owner, name):
            owner = getattr(owner, name)
        else:
            set_in_init = getattr(getattr(owner, "__init__", None), "__code__", None)
            return (
                name in getattr(set_in_init, "co_names", ())
                or name in getattr(owner, "__annotations__", {})
                or any(name in getattr(base, "__annotations__", {}) for base in getattr(owner, "__mro__", ()))
            )
    return True


def is_attribute(word: str) -> bool:
    """Return True for a public name, or what it or a usual variable has: `client.wait`, `JobResult.ok`."""
    first, *rest = word.split(".")
    return has(OBJECTS[first] if first in OBJECTS else PUBLIC[first], rest)


def is_file(word: str) -> bool:
    """Return True for a path from the root, the package or the guide."""
    return any((root / word).exists() for root in (ROOT, PACKAGE, PACKAGE / "docs"))


def is_variable(word: str) -> bool:
    """Return True for a variable of the environment."""
    return word in words_of_package() or word.removeprefix("BKJOB_").lower() in words_of_package()


def is_word(word: str) -> bool:
    """Return True for names that the package, Python or the standard library has."""
    return all(
        part in words_of_package() or hasattr(builtins, part) or part in sys.stdlib_module_names
        for part in word.split(".")
    )


# What a word looks like, and what it must then be; the first that fits decides.
KINDS: Sequence[tuple[re.Pattern[str], Callable[[str], bool]]] = (
    (re.compile(r"--?[a-z][\w-]*"), lambda word: word in words_of_commands()),
    (re.compile(r"(?!@|https?:)[\w./-]+\.(?:md|py|json|yml)"), is_file),
    (re.compile(rf"(?:{'|'.join(OBJECTS)})(?:\.\w+)+"), is_attribute),
    (re.compile(rf"(?:{'|'.join(PUBLIC)})(?:\.\w+)*"), is_attribute),
    (re.compile(r"bkjob_\w+|BkJob[A-Z]\w+"), lambda word: word in metrics() or word in words_of_package()),
    (re.compile(r"BKJOB_\w+"), is_variable),
    (re.compile(r"[A-Za-z_][\w.]*"), is_word),
)


def exists(word: str) -> bool:
    """Return True if what stands in backticks is something."""
    bare = re.sub(r"\(.*\)$", "", word)
    if word in {*FOREIGN, *DIALECTS, *SCENARIOS, *FAULTS, *words_of_commands()} or COMMAND.match(word):
        return True
    option = re.sub(r"^(--[\w-]+)[ =].*", r"\1", bare)
    return next((holds(option) for looks, holds in KINDS if looks.fullmatch(option)), is_free(word))


def is_free(word: str) -> bool:
    """Return True for what names nothing: values, forms, texts, several words."""
    return not re.search(r"\w", word) or bool(re.search(r"^\d|[\s:=<>\"'{}\[\]@#*+|…%/]", word))


def words_in(text: str) -> list[str]:
    """Return what stands in backticks, outside of code blocks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCE.sub("", text))


@pytest.mark.parametrize("page", CHECKED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_names_exist(page: Path) -> None:
    """Each word is something that the package, Python or the platform has."""
    assert sorted({word for word in words_in(page.read_text(encoding="utf-8")) if not exists(word)}) == []


@pytest.mark.parametrize(
    "word",
    [
        "bkjob.Wtach",
        "client.run_scirpt",
        "Watch.as_finshed",
        "watch.no_such()",
        "JobResult.no_field",
        "--no-such-option",
        "bkjob_no_such_total",
        "NoSuchClass",
        "bkjob_async/docs/gone.md",
    ],
)
def test_a_wrong_name_is_found(word: str) -> None:
    """The check bites."""
    assert not exists(word)


def test_every_command_is_known() -> None:
    """The options come from all commands."""
    assert len(words_of_commands()) > len(COMMANDS)
