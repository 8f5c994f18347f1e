"""The published package works without the repository."""

import re
import runpy
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

pytestmark = pytest.mark.deep

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

INTRODUCE = """
import sys
sys.path.insert(0, "alone")
from importlib.metadata import distribution
import bkjob_async
print(bkjob_async.__file__, bkjob_async.__version__)
print(*(entry.value for entry in distribution("bkjob-async").entry_points if entry.name == "bkjob"))
"""


def run(*arguments: str, cwd: Path = ROOT) -> str:
    """Run Python with these *arguments*; return what it said."""
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once."""
    target = tmp_path_factory.mktemp("wheel")
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(target), versions=["standard"])))


def test_the_wheel_lives_in_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, it imports, is typed, and knows its version and its command."""
    run(
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path / "alone"),
        str(wheel),
    )
    said = run("-c", INTRODUCE, cwd=tmp_path).split()

    assert said[:2] == [str(tmp_path / "alone" / "bkjob_async" / "__init__.py"), PROJECT["version"]]
    assert said[2] == PROJECT["scripts"]["bkjob"]
    assert (tmp_path / "alone" / "bkjob_async" / "py.typed").exists()


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """No tests, no benchmarks; the licence is with it."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    dist_info = f"bkjob_async-{PROJECT['version']}.dist-info"

    assert tops == {"bkjob_async", dist_info}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "bkjob_async").rglob("*.py")} <= set(names)


def test_the_sdist_can_test_itself(tmp_path: Path) -> None:
    """Whoever packages it further finds tests, licence and README."""
    sdist = next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", "bkjob_async/py.typed"} <= names
    assert {"tests/__main__.py", "tests/public.txt", ".ci/run"} <= names


def test_what_a_contributor_needs_includes_the_command_line() -> None:
    """One extra for contributors."""
    assert any(
        re.match(r"bkjob-async\[(\w+,)*cli\b", line) for line in PROJECT["optional-dependencies"]["dev"]
    )


def test_a_copy_that_nobody_installed_imports() -> None:
    """Its version is not known, and nothing else is wrong with it."""
    program = """
import importlib.metadata as metadata

def version(name):
    raise metadata.PackageNotFoundError(name)

metadata.version = version
import bkjob_async
print(bkjob_async.__version__)
"""

    assert run("-c", program).strip() == "0+unknown"


def test_an_index_shows_no_link_that_leads_nowhere(wheel: Path) -> None:
    """Without the address of a repository, what the README links to in it is named and not linked."""
    metadata = zipfile.ZipFile(wheel).read(f"bkjob_async-{PROJECT['version']}.dist-info/METADATA").decode()
    _, _, text = metadata.partition("\n\n")

    assert "Description-Content-Type: text/markdown" in metadata
    assert text.startswith("# bkjob-async")
    assert "Start in five minutes" in text
    assert re.findall(r"\]\((?!https?://)", text) == []


def test_an_index_links_to_the_released_version() -> None:
    """With the address of a repository, links and pictures name it and the version's tag."""
    hook = runpy.run_path(str(ROOT / ".ci" / "long_description.py"))
    text = "![a board](docs/board.svg)\n\n[pages](docs/start.md), [below](#below), [PEP](https://peps.python.org/)"

    assert hook["long_description"](text, "https://git.example.com/bkjob", "1.2") == (
        "![a board](https://git.example.com/bkjob/raw/v1.2/docs/board.svg)\n\n"
        "[pages](https://git.example.com/bkjob/blob/v1.2/docs/start.md), below, [PEP](https://peps.python.org/)"
    )
