"""An addition is complete: operations, dialects, events and observations are wired everywhere they belong.

Each check returns what an addition lacks. The tests hold it against the package, and against a package from which one
thing was taken away.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args

import attrs
import pytest
from attrs import evolve, frozen
from hypothesis import find

import bkjob_async as bkjob
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.dialects.names import PLACES
from bkjob_async.dialects.registry import dialect_by_name, dialect_named, dialects_with
from bkjob_async.engine.folding.stream_state import StreamState
from bkjob_async.errors import NotSupported
from bkjob_async.model import events
from bkjob_async.model import operations as package
from bkjob_async.model.json_values import KINDS, event_from_json, event_to_json
from bkjob_async.model.operations import base
from bkjob_async.observe import observer, to_logging
from bkjob_async.pytest_plugin import URLS
from bkjob_async.report.reading.event_forms import EventForm
from bkjob_async.simulator.handlers.routes import ROUTES
from tests.client.test_round_trip import ALL as ROUND_TRIPS
from tests.model.test_json_of_events import whole
from tests.public_names import PUBLIC

PACKAGE = Path(bkjob.__file__).parent
GUIDE = "\n".join(
    page.read_text() for page in (PACKAGE.parent / "README.md", *sorted((PACKAGE / "docs").glob("*.md")))
)
# Every class of its module, whether somebody has listed it or not.
EVENTS: tuple[type[Any], ...] = tuple(
    value for value in vars(events).values() if events.StreamEvent in getattr(value, "__bases__", ())
)
OBSERVATIONS = tuple(
    value for value in vars(observer).values() if attrs.has(value) and value.__module__ == observer.__name__
)
# Operations that the simulator does not offer in some dialect, with the reason.
NOT_SIMULATED: Mapping[type[base.Operation[Any]], str] = {}


def is_operation(value: object) -> bool:
    """Whether a value of a module is an operation that has a name; a `RawCall` has none of its own."""
    return (
        isinstance(value, type)
        and issubclass(value, base.Operation)
        and isinstance(vars(value).get("name"), str)
    )


def operations() -> list[type[base.Operation[Any]]]:
    """Return every operation of the model."""
    modules = [import_module(f"{package.__name__}.{each.name}") for each in iter_modules(package.__path__)]
    found = {value for module in modules for value in vars(module).values() if is_operation(value)}
    return sorted(found, key=lambda kind: kind.__name__)


def matched(function: Callable[..., Any]) -> set[str]:
    """Return the names of the classes that a function tells apart by `match`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    classes = (node.cls for node in ast.walk(tree) if isinstance(node, ast.MatchClass))
    return {ast.unparse(each).rpartition(".")[2] for each in classes}


DIALECTS = {name: dialect_named(name) for name in PLACES}


@frozen(kw_only=True)
class Wiring:
    """Where additions are wired: everything that the checks look at."""

    public: frozenset[str] = frozenset(PUBLIC)
    methods: frozenset[str] = frozenset(name for name in dir(bkjob.JobClient) if not name.startswith("_"))
    dialects: Mapping[str, Dialect] = DIALECTS
    routes: Mapping[str, Iterable[str]] = ROUTES
    round_trips: frozenset[type[Any]] = frozenset(ROUND_TRIPS)
    json_kinds: Mapping[str, type[Any]] = KINDS
    kept: frozenset[str] = frozenset(matched(StreamState._apply_event))
    reported: frozenset[str] = frozenset(form.__struct_config__.tag for form in get_args(EventForm))
    events: frozenset[type[Any]] = frozenset(get_args(bkjob.Event))
    observations: frozenset[type[Any]] = frozenset(get_args(bkjob.observations.Observation))
    logged: frozenset[str] = frozenset(matched(to_logging.Log._text))
    log_levels: frozenset[type[Any]] = frozenset(to_logging.LEVELS)
    guide: str = GUIDE
    plugin_urls: Mapping[str, str] = URLS


def operation_lacks(kind: type[base.Operation[Any]], wiring: Wiring) -> list[str]:
    """Return what an operation lacks."""
    able = [name for name, dialect in wiring.dialects.items() if kind in dialect.all_calls()]
    lacks = {
        f"a public name {kind.__name__}": kind.__name__ not in wiring.public,
        f"a method JobClient.{kind.name}": kind.name not in wiring.methods,
        "a dialect that has it": not able,
        "a round trip in tests/client/test_round_trip.py": kind not in wiring.round_trips,
        "a docstring that names its document": kind.name not in (kind.__doc__ or ""),
    }
    for name, dialect in wiring.dialects.items():
        call = dialect.all_calls().get(kind)
        if call is None:
            lacks[f"an error in {name} that names a dialect with it"] = not refuses(dialect, kind, able)
        else:
            route = call.platform_name or kind.name
            lacks[f"a route {route} in the simulated {name}"] = (
                route not in wiring.routes.get(name, ()) and kind not in NOT_SIMULATED
            )
    return [what for what, is_lacking in lacks.items() if is_lacking]


def refuses(dialect: Dialect, kind: type[base.Operation[Any]], able: list[str]) -> bool:
    """Whether a dialect without an operation says so, and who has it."""
    try:
        evolve(dialect, supported_by=dialects_with).call_for(object.__new__(kind))
    except NotSupported as error:
        return all(name in str(error) for name in able)
    return False


def dialect_lacks(name: str, wiring: Wiring) -> list[str]:
    """Return what a dialect lacks."""
    calls = wiring.dialects[name].calls
    lacks = {
        "a simulated platform": not wiring.routes.get(name),
        "its name in the guide": f"`{name}`" not in wiring.guide,
        "its name in the docstring of connect()": f"`{name}`" not in (bkjob.connect.__doc__ or ""),
        "a URL in the pytest plugin": name not in wiring.plugin_urls,
        "a job status that a watch can poll": getattr(
            calls.get(bkjob.operations.GetJobInstanceStatus), "read_view", None
        )
        is None,
        "a way to run a script": bkjob.operations.FastExecuteScript not in calls,
        "its own name in its table": wiring.dialects[name].name != name,
        "a way to get it by name": dialect_by_name(name).name != name,
    }
    return [what for what, is_lacking in lacks.items() if is_lacking]


def event_lacks(kind: type[Any], wiring: Wiring) -> list[str]:
    """Return what a kind of event lacks."""
    lacks = {
        "a public name": kind.__name__ not in wiring.public,
        "a place in the union Event": kind not in wiring.events,
        "a way to JSON and back": wiring.json_kinds.get(kind.kind) is not kind or not survives_json(kind),
        "a row in the guide": f"| `{kind.kind}` |" not in wiring.guide,
        "a case in StreamState": kind.__name__ not in wiring.kept,
        "a form in the report's event_forms.py": kind.kind not in wiring.reported,
        "a docstring": not kind.__doc__,
        "a line of its own (__str__)": "__str__" not in vars(kind),
    }
    return [what for what, is_lacking in lacks.items() if is_lacking]


def survives_json(kind: type[Any]) -> bool:
    """Whether an event of this kind is read back as it was written."""
    event = find(whole(kind), lambda _: True)
    return bool(event_from_json(event_to_json(event)) == event)


def observation_lacks(kind: type[Any], wiring: Wiring) -> list[str]:
    """Return what a kind of observation lacks."""
    lacks = {
        "a public name": kind.__name__ not in wiring.public,
        "a place in the union Observation": kind not in wiring.observations,
        "a case in to_logging.Log": kind.__name__ not in wiring.logged,
        "a level in to_logging.LEVELS": kind not in wiring.log_levels,
        "a docstring": not kind.__doc__,
    }
    return [what for what, is_lacking in lacks.items() if is_lacking]


def check_complete(name: str, lacks: list[str]) -> None:
    """Fail with everything that is missing, whatever pytest shows of a list."""
    if lacks:
        pytest.fail("\n  ".join([f"{name} lacks", *lacks]), pytrace=False)


@pytest.mark.parametrize("kind", operations(), ids=lambda kind: kind.name)
def test_every_operation_is_complete(kind: type[base.Operation[Any]]) -> None:
    """Class, method, dialects, simulator and round trip."""
    check_complete(kind.name, operation_lacks(kind, Wiring()))


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_complete(name: str) -> None:
    """Table, simulator, guide and fixtures."""
    check_complete(name, dialect_lacks(name, Wiring()))


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.kind)
def test_every_event_is_complete(kind: type[Any]) -> None:
    """JSON, guide and `match`."""
    check_complete(kind.__name__, event_lacks(kind, Wiring()))


@pytest.mark.parametrize("kind", OBSERVATIONS, ids=lambda kind: kind.__name__)
def test_every_observation_is_complete(kind: type[Any]) -> None:
    """Public, and logged by name."""
    check_complete(kind.__name__, observation_lacks(kind, Wiring()))


# Planted omissions ---------------------------------------------------------------------------------------------------

SCRIPT = bkjob.operations.FastExecuteScript
WITHOUT_SCRIPTS = evolve(
    DIALECTS["esb-job"],
    calls={kind: call for kind, call in DIALECTS["esb-job"].calls.items() if kind is not SCRIPT},
)


class Unwired(base.Operation[None]):
    """An operation that somebody wrote and wired nowhere."""

    name = "unwired_operation"


@pytest.mark.parametrize(
    ("wiring", "lacks"),
    [
        (Wiring(public=Wiring().public - {"FastExecuteScript"}), "public name"),
        (Wiring(methods=Wiring().methods - {"fast_execute_script"}), "method"),
        (Wiring(round_trips=Wiring().round_trips - {SCRIPT}), "round trip"),
        (Wiring(routes={**ROUTES, "esb-job": ()}), "route"),
        (Wiring(dialects={}), "dialect that has it"),
    ],
)
def test_an_operation_wired_in_part_is_found(wiring: Wiring, lacks: str) -> None:
    """Whatever one forgets is named."""
    assert any(lacks in what for what in operation_lacks(SCRIPT, wiring))


def test_an_operation_wired_nowhere_lacks_everything() -> None:
    """A class alone is not an operation."""
    assert is_operation(Unwired)
    assert len(operation_lacks(Unwired, Wiring())) >= 5


@pytest.mark.parametrize(
    ("wiring", "lacks"),
    [
        (Wiring(routes={name: routes for name, routes in ROUTES.items() if name != "esb-job"}), "simulated"),
        (Wiring(guide=GUIDE.replace("`esb-job`", "")), "guide"),
        (Wiring(plugin_urls={}), "URL"),
        (Wiring(dialects={**DIALECTS, "esb-job": WITHOUT_SCRIPTS}), "run a script"),
    ],
)
def test_a_dialect_wired_in_part_is_found(wiring: Wiring, lacks: str) -> None:
    """Whatever one forgets is named."""
    assert any(lacks in what for what in dialect_lacks("esb-job", wiring))


@pytest.mark.parametrize(
    ("wiring", "lacks"),
    [
        (Wiring(public=Wiring().public - {"Stalled"}), "public name"),
        (Wiring(json_kinds={}), "JSON"),
        (Wiring(guide=""), "guide"),
        (Wiring(kept=Wiring().kept - {"Stalled"}), "StreamState"),
        (Wiring(reported=Wiring().reported - {"stalled"}), "report"),
        (Wiring(events=Wiring().events - {bkjob.Stalled}), "union Event"),
    ],
)
def test_an_event_wired_in_part_is_found(wiring: Wiring, lacks: str) -> None:
    """Whatever one forgets is named."""
    assert any(lacks in what for what in event_lacks(bkjob.Stalled, wiring))


@pytest.mark.parametrize(
    ("wiring", "lacks"),
    [
        (Wiring(public=Wiring().public - {"PollingFailed"}), "public name"),
        (Wiring(logged=Wiring().logged - {"PollingFailed"}), "to_logging.Log"),
        (Wiring(log_levels=Wiring().log_levels - {bkjob.observations.PollingFailed}), "to_logging.LEVELS"),
        (
            Wiring(observations=Wiring().observations - {bkjob.observations.PollingFailed}),
            "union Observation",
        ),
    ],
)
def test_an_observation_wired_in_part_is_found(wiring: Wiring, lacks: str) -> None:
    """Whatever one forgets is named."""
    assert any(lacks in what for what in observation_lacks(bkjob.observations.PollingFailed, wiring))
