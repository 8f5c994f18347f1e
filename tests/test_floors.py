"""The floors of the architecture, checked in every import and every await."""

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bkjob_async"

# A file may use its own room and every floor below its own; rooms on one floor do not know each other.
HOUSE = [
    {"model", "http_messages"},
    {"errors"},
    {"engine", "dialects", "observe", "simulator"},
    {"wire", "journal"},
    {"watch", "configuration", "report"},
    {"client"},
    {"many", "sync"},
    {"codes", "observations", "operations", "responses"},
    {"__init__"},
    {"testing"},
    {"cli", "docs"},
    {"__main__", "pytest_plugin"},
]
FLOOR = {room: floor for floor, rooms in enumerate(HOUSE) for room in rooms}

# Inside a room, too, folders and files use their own folder and the floors below it; `*` stands for all other files,
# which may use each other. A room in a room has its plan under its path.
INNER_HOUSES = {
    "engine": [
        {"host_table", "flow_control"},
        {"stream"},
        {"group_polling"},
        {"tracking"},
        {"responses"},
        {"folding"},
        {"scheduling", "journaling", "delivery"},
    ],
    "dialects": [{"names"}, {"common"}, {"gateway"}, {"esb"}, {"registry"}, {"decode_requests"}, {"decode"}],
    "simulator": [{"world"}, {"protocol"}, {"faults"}, {"handlers"}, {"servers"}, {"simulator"}],
    "journal": [
        {"urls", "keep", "event_loops"},
        {"store"},
        {"fleet_row", "loading", "shards"},
        {"memory", "sqlite", "redis", "follow"},
        {"stores"},
        {"journal"},
    ],
    "journal/sqlite": [{"file"}, {"tables"}, {"keys"}, {"store"}],
    "journal/redis": [{"scripts", "parser"}, {"replies"}, {"client"}, {"store"}],
    "wire": [{"bodies", "limits"}, {"*"}, {"fast_http"}, {"aiohttp_transport"}, {"session"}],
    "model": [{"structures", "text"}, {"*"}, {"operations"}],
    "client": [
        {"imported", "lifetime", "operation_reports", "probes"},
        {"caller"},
        {"limits", "statistics"},
        {"operations"},
        {"watching", "earlier_runs"},
        {"shortcuts", "looking"},
        {"client"},
        {"factory"},
        {"checks"},
    ],
    "configuration": [
        {"secrets", "proxies"},
        {"settings"},
        {"profiles", "secret_lookup"},
        {"gathering"},
        {"connecting"},
    ],
    "sync": [
        {"handed_call", "run_alone"},
        {"loop_thread"},
        {"iterators"},
        {"watch"},
        {"methods"},
        {"client"},
        {"checks", "factory", "run_report"},
    ],
    "many": [
        {"concurrently", "environment", "logs", "placement", "status", "upkeep"},
        {"metrics", "reader", "settings"},
        {"management"},
        {"fleet"},
        {"runner"},
        {"on_dask"},
    ],
    "cli": [
        {"exit_codes", "lines", "terminal", "writing"},
        {"tables", "dispatch", "configuration"},
        {"running", "watching"},
        {"board"},
        {"live_page"},
        {"actions", "demo"},
        {"logs"},
        {"commands"},
        {"entry"},
    ],
    "cli/board": [
        {"drawing"},
        {"target_row"},
        {"model", "commands"},
        {"views"},
        {"source"},
        {"app"},
        {"consumer"},
    ],
    "report": [
        {"phases", "times", "palette"},
        {"reading"},
        {"durations", "hosts", "verdict"},
        {"figures"},
        {"formats"},
        {"run_report"},
    ],
    "watch": [
        {"cooperative", "phase_totals", "stats"},
        {"polling"},
        {"stream"},
        {"journaling"},
        {"subscription", "plan"},
        {"waiting"},
        {"watch"},
        {"callbacks", "progress_bar"},
        {"callbacks_aiohttp"},
    ],
}

# Files that import one of several, the one that is chosen, and those whose rare part takes long to import.
CHOOSES = (
    "journal/stores",
    "dialects/registry",
    "dialects/esb/job",
    "dialects/esb/jobv3",
    "dialects/gateway/v3",
    "dialects/gateway/v4",
)

# What the rooms above use of a watch: what its users have. The client makes watches, of these parts as well.
DOORS_OF_WATCH = {"watch", "stats", "callbacks", "callbacks_aiohttp", "progress_bar", "stream.readers"}
PARTS_OF_WATCH = {"plan", "polling.poller"}
INSIDE_OF_WATCH = {"_subscription", "_stream", "_plan"}

# The ground floor holds two rooms that stay strangers as well.
PURE = ("model/", "http_messages", "errors", "engine/", "dialects/")
PURE_SIMULATOR = ("simulator/world/", "simulator/protocol/", "simulator/faults/")
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
TREES = {path: ast.parse(path.read_text()) for path in FILES}
MODULES = {".".join(["bkjob_async", *path.relative_to(PACKAGE).with_suffix("").parts]) for path in FILES}


def room_of(dotted: str) -> str:
    """Return the room that a module of this package lies in."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def where(path: Path) -> str:
    """Return a file's place in the house: `engine/diff`."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def inner_floor(room: str, part: str) -> int | None:
    """Return the floor of a folder or file inside a room, None where the room has no floors of its own."""
    plan = INNER_HOUSES.get(room)
    if plan is None:
        return None
    for floor, parts in enumerate(plan):
        if part in parts:
            return floor
    return next((floor for floor, parts in enumerate(plan) if "*" in parts), len(plan))


def own_imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every import as (statement, dotted name), `from a import b` as `a.b` and `a`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node, node.module or ""


def typed_only(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield what only type checkers read."""
    for node in tree.body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from node.body


def violations(name: str, tree: ast.Module) -> list[str]:
    """Return what is wrong with a file of this *name* in the house."""
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
        elif other == room:
            found += inner_violations(name, statement.lineno, dotted)
        if statement not in [*tree.body, *typed_only(tree)] and name.removesuffix(".py") not in CHOOSES:
            found.append(f"{name}:{statement.lineno} hides the import of {dotted}")
    if FLOOR[room] > FLOOR["watch"]:
        found += looks_inside(name, tree, DOORS_OF_WATCH | (PARTS_OF_WATCH if room == "client" else set()))
    if name.startswith(PURE) or name.startswith(PURE_SIMULATOR):
        found += impurities(name, tree)
    return found


def inner_violations(name: str, line: int, dotted: str) -> list[str]:
    """Return what is wrong with an import from another folder of the same room."""
    here, there = name.split("/"), dotted.split(".")[1:]
    depth = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), len(here))
    if depth >= min(len(here), len(there)):
        return []
    room = "/".join(here[:depth])
    own, other = inner_floor(room, here[depth]), inner_floor(room, there[depth])
    if own is None or other is None or other < own:
        return []
    if own == other and not any({here[depth], there[depth]} & parts for parts in INNER_HOUSES[room]):
        return []  # two files that `*` stands for
    return [f"{name}:{line} imports {dotted} from a neighbour or a higher floor of its room"]


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of the package that a file imports."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES
            yield from inner or {node.module}


def looks_inside(name: str, tree: ast.Module, doors: set[str]) -> list[str]:
    """Return what a room above the watch uses of its inside, which its users do not have."""
    found = []
    for statement, dotted in own_imports(tree):
        inner = dotted.removeprefix("bkjob_async.watch.")
        modules = {inner}
        if isinstance(statement, ast.ImportFrom) and dotted in (
            "bkjob_async.watch",
            "bkjob_async.watch.stream",
        ):
            folder = dotted.removeprefix("bkjob_async.watch").removeprefix(".")
            modules = {f"{folder}.{alias.name}".removeprefix(".") for alias in statement.names}
        elif inner == dotted:
            continue
        found += [f"{name}:{statement.lineno} looks into a watch: {each}" for each in modules - doors]
        if inner == "watch" and isinstance(statement, ast.ImportFrom):
            others = {alias.name for alias in statement.names} - {"Watch"}
            found += [f"{name}:{statement.lineno} takes {each} of a watch" for each in others]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in INSIDE_OF_WATCH:
            found.append(f"{name}:{node.lineno} looks into a watch: {node.attr}")
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


def test_every_file_keeps_to_its_floor() -> None:
    """No file looks up, sideways, or at the world when it is pure."""
    assert [finding for path in FILES for finding in violations(where(path), TREES[path])] == []


def test_every_file_says_what_is_in_it() -> None:
    """A file opens with a docstring and lies at most four levels deep."""
    assert [where(path) for path in FILES if not ast.get_docstring(TREES[path])] == []
    assert [where(path) for path in FILES if len(path.relative_to(PACKAGE).parts) > 4] == []


def test_no_import_goes_in_a_circle() -> None:
    """The files can be read in an order in which each uses only those before it."""
    imports = {f"bkjob_async.{where(path).replace('/', '.')}": {*imported(path)} for path in FILES}

    assert [*TopologicalSorter(imports).static_order()]


def test_no_folder_holds_more_files_than_a_reader_can_scan() -> None:
    """Up to fourteen files lie in a folder; then it has rooms of its own."""
    modules = Counter(
        path.parent.relative_to(PACKAGE).as_posix() for path in FILES if path.name != "__init__.py"
    )

    assert {folder: count for folder, count in modules.items() if count > 14} == {}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("engine/tracking/diff", "from bkjob_async.dialects import base"),
        ("engine/diff", "from bkjob_async.wire.session import Session"),
        ("model/refs", "from bkjob_async.errors import BkJobError"),
        ("http_messages", "from bkjob_async.model.refs import Scope"),
        ("simulator/world", "from bkjob_async.dialects.common.json_fields import time"),
        ("client", "from bkjob_async import __version__"),
        ("watch/stream/stream", "def f():\n    from bkjob_async.model import refs"),
        ("engine/diff", "import asyncio"),
        ("engine/diff", "import random"),
        ("engine/diff", "from random import random"),
        ("engine/diff", "async def f(): ..."),
        ("dialects/common/json_fields", "from datetime import datetime\nx = datetime.now()"),
        ("simulator/protocol/esb", "import time"),
        ("model/refs", "import bkjob_async.attic"),
        ("engine/host_table/table", "from bkjob_async.engine.tracking.job_state import JobState"),
        ("dialects/gateway/v3", "from bkjob_async.dialects.esb.job import EsbJob"),
        ("simulator/world/world", "from bkjob_async.simulator.servers.http import create_app"),
        ("wire/fast_http/client", "from bkjob_async.wire.session import Session"),
        ("wire/session", "from bkjob_async.journal.store import Store"),
        ("client/caller", "from bkjob_async.sync.loop_thread import LoopThread"),
        ("many/fleet", "from bkjob_async.sync.client import JobClient"),
        ("many/runner/shard", "from bkjob_async.watch.watch import subscription_of"),
        ("many/runner/shard", "from bkjob_async.watch.journaling.inbox import Inbox"),
        ("sync/watch", "from bkjob_async.watch.polling.poller import Poller"),
        ("client/watching", "from bkjob_async.watch import waiting"),
        ("client/watching", "watch._subscription"),
        ("journal/sqlite/file", "from bkjob_async.journal.sqlite.store import SqliteStore"),
    ],
)
def test_a_staircase_in_the_wrong_place_is_found(name: str, source: str) -> None:
    """The guard bites: planted violations do not pass."""
    assert violations(name, ast.parse(source))
