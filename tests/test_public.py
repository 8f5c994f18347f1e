"""The pinned list of public names: a change here is a change for users."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import bkjob_async
from bkjob_async import testing
from tests.public_names import MODULES, OF_PACKAGE, PUBLIC

PINNED = Path(__file__).with_name("public.txt")
ROOT = Path(bkjob_async.__file__).read_text()
GUIDE = Path(bkjob_async.__file__).parent / "docs"


def test_the_public_names_are_these() -> None:
    """Every exported name is listed, and every listed name is exported."""
    of_modules = {f"{name}.{each}" for name, module in MODULES.items() for each in module.__all__}

    assert PINNED.read_text().split() == sorted({*bkjob_async.__all__} | of_modules)


def test_no_name_is_public_twice() -> None:
    """In the package and in one of its modules, or in two of these."""
    names = Counter([*bkjob_async.__all__, *(name for module in MODULES.values() for name in module.__all__)])

    assert [name for name, times in names.items() if times > 1] == []


def test_no_name_has_another_meaning_in_testing() -> None:
    """Programs and their tests import both."""
    assert {*testing.__all__} & PUBLIC.keys() == set()


def test_every_name_is_on_a_page_of_the_guide() -> None:
    """A name of the package itself that no page has is for nobody; its API page does not count."""
    pages = [page for page in GUIDE.glob("*.md") if page.name not in {"changelog.md", "architecture.md"}]
    words = {word for page in pages for word in re.findall(r"\w+", page.read_text(encoding="utf-8"))}

    assert sorted({*bkjob_async.__all__} - words - {"__version__"}) == []


def test_every_public_name_is_documented() -> None:
    """A class or function without a docstring is no contract."""
    undocumented = [
        name
        for name, value in (PUBLIC | MODULES).items()
        if (callable(value) or name in MODULES) and not value.__doc__
    ]

    assert undocumented == []


def typed_imports(source: str) -> dict[str, str]:
    """Return the module of each name that the package root shows to type checkers."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bkjob_async."):
            found |= {alias.name: node.module or "" for alias in node.names}
    return found


def disagreements(source: str, modules: dict[str, str], names: list[str]) -> list[str]:
    """Return each public name that the typed imports, the lazy table and `__all__` do not have alike."""
    typed = typed_imports(source)
    listed = {*names} - {"__version__", *MODULES}
    return sorted(
        name
        for name in listed | typed.keys() | modules.keys()
        if not (name in listed and typed.get(name) == modules.get(name) is not None)
    )


def test_the_lazy_names_are_the_typed_ones() -> None:
    """A name that is imported lazily is the one that type checkers see: change all three lists in `__init__.py`."""
    assert disagreements(ROOT, bkjob_async._MODULES, bkjob_async.__all__) == []


def test_each_name_is_where_the_table_says() -> None:
    """Whoever uses it gets it, and `dir` shows it before."""
    names = sorted({*OF_PACKAGE} - {"__version__"})
    modules = {name: importlib.import_module(bkjob_async._MODULES[name]) for name in names}

    assert [name for name in names if getattr(bkjob_async, name) is not getattr(modules[name], name)] == []
    assert [name for name in names if name not in dir(bkjob_async)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import JobClient\n", "import Caller\n"),
        ("bkjob_async.client.factory import", "bkjob_async.client.client import"),
    ],
)
def test_a_name_in_one_list_only_is_found(old: str, new: str) -> None:
    """The comparison bites: a name left out or taken from elsewhere."""
    assert old in ROOT
    assert disagreements(ROOT.replace(old, new, 1), bkjob_async._MODULES, bkjob_async.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """`hasattr` works, and a slip is no import error."""
    with pytest.raises(AttributeError, match="no attribute 'JobClinet'"):
        _ = bkjob_async.JobClinet  # type: ignore[attr-defined]


def test_the_error_for_a_name_in_a_module_says_where_it_is() -> None:
    """It was in the package itself before version 0.2, or is looked for there."""
    with pytest.raises(AttributeError, match=r"it is in bkjob_async\.responses"):
        _ = bkjob_async.JobLaunch  # type: ignore[attr-defined]


def modules_after(code: str) -> set[str]:
    """Return what a fresh interpreter has imported after it ran *code*."""
    run = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return {*subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()}


def test_importing_it_imports_nothing_else() -> None:
    """A library embedded in other people's programs loads only what they use."""
    loaded = modules_after("import bkjob_async")

    assert {name for name in loaded if name.startswith("bkjob_async")} == {"bkjob_async"}
    assert not {"aiohttp", "attrs", "msgspec", "importlib.metadata"} & loaded


def test_a_client_brings_no_server_and_no_terminal() -> None:
    """What serves, draws or tests is loaded by those who use it."""
    loaded = modules_after("from bkjob_async import connect")

    optional = {"click", "rich", "pytest", "redis", "distributed", "prometheus_client", "opentelemetry"}
    assert not {"aiohttp.web", "bkjob_async.simulator", *optional} & loaded


def test_a_client_brings_no_classes_of_rare_operations() -> None:
    """Nor other dialects, nor the converters of JSON: all are imported when they are first used."""
    connected = (
        "connect('http://sim', AppCredentials(bk_app_code='a', bk_app_secret='b'), dialect='gateway-v3')"
    )
    loaded = modules_after(f"from bkjob_async import AppCredentials, connect; {connected}")

    rare = ("details", "extra_operations", "management", "stored_items", "stored_queries")
    assert {f"bkjob_async.{name}" for name in ("client.factory", "dialects.gateway.v3")} <= loaded
    assert not {f"bkjob_async.model.operations.{name}" for name in rare} & loaded
    assert not {name for name in loaded if name.startswith("bkjob_async.dialects.esb.")} & loaded
    assert not {"bkjob_async.dialects.gateway.v4", "bkjob_async.client.looking", "cattrs"} & loaded


def test_the_version_is_printed_without_http() -> None:
    """`bkjob --version` is as quick as its answer is short."""
    code = "from bkjob_async.cli.entry import main\nimport sys\nsys.argv = ['bkjob', '--version']\nmain()"

    assert not {"aiohttp", "rich", "bkjob_async.simulator"} & modules_after(code)
