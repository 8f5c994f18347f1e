"""Docstrings are contracts: they name every field, and their examples run."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import pytest

import bkjob_async as bkjob
from bkjob_async import sync, testing
from bkjob_async.docs.site import PAGES
from tests.docs.session import PARSER, failures, platform
from tests.public_names import MODULES, OF_PACKAGE, PUBLIC

# Modules that can be imported only where another package is installed.
NEED = {"bkjob_async.many.on_dask": "distributed"}
# What `help` may not show to users of a watch: the parts that it is made of.
INTERNALS = ("Poller", "Subscription", "poller", "subscription", "_stream", "engine")
VERBS = {
    f"{owner.__name__}.{name}": (owner, name)
    for owner in (bkjob.JobClient, bkjob.Watch)
    for name in dir(owner)
    if not name.startswith("_")
}
# Attributes without behaviour of their own.
PLAIN = {"JobClient.scope", "Watch.scope"}


def public_classes() -> Iterator[type[Any]]:
    """Yield every public class that has fields."""
    for value in PUBLIC.values():
        if inspect.isclass(value) and (attrs.has(value) or issubclass(value, msgspec.Struct)):
            yield value


def unnamed_fields(cls: type[Any], doc: str) -> list[str]:
    """Return the fields of a class that its docstring does not name, as *name* or in backticks."""
    if issubclass(cls, msgspec.Struct):
        names = [name for name in cls.__struct_fields__ if name in vars(cls)["__annotations__"]]
    else:
        names = [field.alias or field.name for field in attrs.fields(cls) if not field.name.startswith("_")]
    return [name for name in names if not re.search(rf"\*{name}\*|`{name}`", doc)]


def modules() -> list[str]:
    """Return every module of the package."""
    found = pkgutil.walk_packages(bkjob.__path__, "bkjob_async.")
    # The examples of the twin have a test of their own.
    names = [module.name for module in found if not module.name.endswith(("__main__", ".sync"))]
    names = [name for name in names if not name.startswith("bkjob_async.sync.")]
    return [name for name in names if name not in NEED or importlib.util.find_spec(NEED[name])]


def docstrings() -> dict[str, str]:
    """Return every docstring that has examples, by its place."""
    found: dict[str, str] = {}
    for name in modules():
        module = importlib.import_module(name)
        for value in vars(module).values():
            if getattr(value, "__module__", None) != name:
                continue
            members = vars(value).values() if inspect.isclass(value) else ()
            for item in (value, *members):
                function = item.fget if isinstance(item, property) else getattr(item, "__func__", item)
                doc = inspect.getdoc(function)
                if doc and ">>>" in doc and (inspect.isclass(function) or inspect.isfunction(function)):
                    found[f"{name}.{function.__qualname__}"] = doc
    return found


EXAMPLES = docstrings()


def test_every_field_is_named() -> None:
    """Whoever reads `help` knows what each field holds."""
    unnamed = {cls.__name__: unnamed_fields(cls, inspect.getdoc(cls) or "") for cls in public_classes()}

    assert {name: fields for name, fields in unnamed.items() if fields} == {}


def test_a_field_without_a_name_is_found() -> None:
    """The check bites."""
    doc = inspect.getdoc(bkjob.WatchStats) or ""

    assert unnamed_fields(bkjob.WatchStats, doc.replace("*in_flight*", "")) == ["in_flight"]


def test_every_verb_has_an_example() -> None:
    """Of a client and of a watch."""
    counts = {
        verb: len(PARSER.get_examples(inspect.getdoc(getattr(*VERBS[verb])) or ""))
        for verb in VERBS.keys() - PLAIN
    }

    assert {verb: count for verb, count in counts.items() if not 1 <= count <= 5} == {}


@pytest.mark.looptime
async def test_the_examples_of_docstrings_run() -> None:
    """They print what they say, each on a simulated platform of its own."""
    found = []
    for place, doc in EXAMPLES.items():
        async with platform() as names:
            found += await failures(doc, names, place)

    assert found == []


@pytest.mark.looptime
async def test_a_wrong_example_is_found() -> None:
    """Another value, another error, and no error."""
    async with platform() as names:
        for wrong in (
            ">>> job.job_instance_id\n7\n",
            ">>> bkjob.Scope.biz(0)\nTraceback (most recent call last):\n    ...\nKeyError: 0\n",
            ">>> 1\nTraceback (most recent call last):\n    ...\nKeyError: 0\n",
            ">>> await client.get_job_plan_detail(7)\n",
        ):
            assert len(await failures(wrong, names, "here")) == 1


def test_every_public_name_is_on_one_page() -> None:
    """The pages of the API are complete."""
    shown: dict[str, list[str]] = {}
    for page in (PAGES / "api").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        module = ""
        for kind, name in re.findall(r"^\.\. (currentmodule|auto\w+):: (\S+)$", text, re.MULTILINE):
            if kind == "currentmodule":
                module = name
            else:
                shown.setdefault(module, []).append(name)

    public = {f"bkjob_async.{name}": sorted(module.__all__) for name, module in MODULES.items()}
    public["bkjob_async"] = sorted({*OF_PACKAGE} - {"__version__"})
    public["bkjob_async.sync"] = sorted(sync.__all__)
    public["bkjob_async.testing"] = sorted(testing.__all__)
    assert {module: sorted(names) for module, names in shown.items()} == public


def test_help_shows_no_internals(capsys: pytest.CaptureFixture[str]) -> None:
    """`help(Watch)` is about what users call."""
    help(bkjob.Watch)
    text = capsys.readouterr().out

    assert [word for word in INTERNALS if word in text] == []
    assert "def as_finished" in text or "as_finished(self" in text


def test_no_docstring_has_code_that_does_not_run() -> None:
    """Examples begin with `>>>`; literal blocks would run nowhere."""
    found = []
    for name in modules():
        source = inspect.getsource(importlib.import_module(name))
        found += [f"{name}: {line.strip()}" for line in source.splitlines() if line.rstrip().endswith("::")]

    assert found == []
