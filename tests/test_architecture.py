"""The architecture page names only files and names that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bkjob_async"
PAGE = (PACKAGE / "ARCHITECTURE.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if "`" in line and not line.startswith("```")]
# The platform's own fields, words of Python and commands.
FOREIGN = {"await"}
COMMAND = re.compile(r"python -m ([\w.]+)")


@cache
def definitions(path: Path) -> frozenset[str]:
    """Return every name that a file defines: classes, functions, attributes, arguments and module variables."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # the platform's fields
    return frozenset(found)


def in_package() -> frozenset[str]:
    """Return every name that the package defines."""
    return frozenset().union(*map(definitions, PACKAGE.rglob("*.py")))


def unknown(line: str) -> list[str]:
    """Return the words in backticks that stand for nothing.

    In a row that begins with one Python file, plain names after it must be defined in that file.
    """
    words = re.findall(r"`([^`]+)`", line)
    first = line.split("|")[1].split("`")[1::2] if line.startswith("| `") else []
    own = definitions(PACKAGE / first[0]) if first and (PACKAGE / first[0]).is_file() else frozenset()
    return [word for word in words if not exists(word, own if word in first[1:] else None)]


def exists(word: str, own: frozenset[str] | None) -> bool:
    """Return True if a word is a path, a command, or a name; *own* are the names where it has to be defined."""
    if command := COMMAND.match(word):
        path = ROOT / command[1].replace(".", "/")
        return path.is_dir() or path.with_suffix(".py").is_file()
    if "/" in word or word.endswith((".py", ".md")) or (PACKAGE / word).is_dir():
        return (PACKAGE / word).exists() or (ROOT / word).exists()
    return word in FOREIGN or word.rpartition(".")[2] in (in_package() if own is None else own)


def test_every_word_in_backticks_exists() -> None:
    """A file or a name that is gone would mislead the reader."""
    assert {line: words for line in LINES if (words := unknown(line))} == {}


def test_every_room_is_in_the_picture() -> None:
    """The floors show all rooms."""
    picture = PAGE.partition("```text")[2].partition("```")[0]
    rooms = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}

    assert (
        sorted(room for room in rooms - {"__pycache__"} if not room.startswith("__") and room not in picture)
        == []
    )


@pytest.mark.parametrize(
    "line",
    [
        "| `watch/gone.py` | polls |",
        "| `watch/polling/poller.py` `JobTracker` | polls |",
        "`NoSuchName` is defined nowhere",
        "`python -m tests.nothing` prints",
    ],
)
def test_a_wrong_word_is_found(line: str) -> None:
    """The check fails for a missing file, a name from another file, an unknown name and an unknown command."""
    assert unknown(line)
