"""The plan of the house, held by walking every import and every await."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bkjob_async"

# A file may use its own room and every floor below its own; rooms on one floor do not know each other.
HOUSE = [
    {"model", "http_messages"},
    {"errors"},
    {"engine", "dialects", "observe", "simulator"},
    {"wire", "journal"},
    {"watch"},
    {"client"},
    {"__init__"},
    {"cli", "testing"},
    {"__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(HOUSE) for room in rooms}

# The ground floor holds two rooms that stay strangers as well.
PURE = ("model/", "http_messages", "errors", "engine/", "dialects/")
PURE_SIMULATOR = ("simulator/world", "simulator/scenarios", "simulator/faults", "simulator/render_")
IMPURE_MODULES = {
    "aiohttp",
    "anyio",
    "asyncio",
    "concurrent",
    "os",
    "random",
    "requests",
    "select",
    "selectors",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uuid",
}
CLOCKS = {"now", "utcnow", "today"}

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(dotted: str) -> str:
    """Return the room that a module of this package lies in."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def where(path: Path) -> str:
    """Return a file's place in the house: `engine/diff`."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def own_imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every import as (statement, dotted name), `from a import b` as `a.b` and `a`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node, node.module or ""


def violations(name: str, source: str) -> list[str]:
    """Return what is wrong with a file of this *name* in the house."""
    tree = ast.parse(source)
    room = name.split("/", maxsplit=1)[0]
    found = []
    for statement, dotted in own_imports(tree):
        if dotted.split(".")[0] != "bkjob_async":
            continue
        other = room_of(dotted)
        if other not in FLOOR:
            found.append(f"{name}:{statement.lineno} imports {dotted}, a room that is not in the plan")
        elif other != room and FLOOR[other] >= FLOOR[room]:
            found.append(f"{name}:{statement.lineno} imports {dotted} from a neighbour or a higher floor")
        if statement not in tree.body:
            found.append(f"{name}:{statement.lineno} hides the import of {dotted}")
    if name.startswith(PURE) or name.startswith(PURE_SIMULATOR):
        found += impurities(name, tree)
    return found


def impurities(name: str, tree: ast.Module) -> list[str]:
    """Return every await, clock, socket and die in a room that has none."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
            found.append(f"{name}:{node.lineno} waits, in a pure room")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            found.append(f"{name}:{node.lineno} reads a clock, in a pure room")
    for statement, dotted in own_imports(tree):
        module = dotted.split(".")[0]
        seeded = isinstance(statement, ast.ImportFrom) and [a.name for a in statement.names] == ["Random"]
        if module in IMPURE_MODULES and not (module == "random" and seeded):
            found.append(f"{name}:{statement.lineno} imports {module}, in a pure room")
    return found


@pytest.mark.parametrize("path", FILES, ids=where)
def test_every_file_keeps_to_its_floor(path: Path) -> None:
    """No file looks up, sideways, or at the world when it is pure."""
    assert violations(where(path), path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=where)
def test_every_file_says_what_lives_there(path: Path) -> None:
    """A file opens with a docstring and lies at most two levels deep."""
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert len(path.relative_to(PACKAGE).parts) <= 2


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("engine/diff", "from bkjob_async.dialects import base"),
        ("engine/diff", "from bkjob_async.wire.session import Session"),
        ("model/refs", "from bkjob_async.errors import BkJobError"),
        ("http_messages", "from bkjob_async.model.refs import Scope"),
        ("simulator/world", "from bkjob_async.dialects.reading import time"),
        ("client", "from bkjob_async import __version__"),
        ("watch/stream", "def f():\n    from bkjob_async.model import refs"),
        ("engine/diff", "import asyncio"),
        ("engine/diff", "import random"),
        ("engine/diff", "from random import random"),
        ("engine/diff", "async def f(): ..."),
        ("dialects/reading", "from datetime import datetime\nx = datetime.now()"),
        ("simulator/render_esb", "import time"),
        ("model/refs", "import bkjob_async.attic"),
    ],
)
def test_a_staircase_in_the_wrong_place_is_found(name: str, source: str) -> None:
    """The guard bites: planted violations do not pass."""
    assert violations(name, source)
