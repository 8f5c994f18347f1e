"""The page on errors says what the classes say."""

from __future__ import annotations

import inspect
import re

import bkjob_async as bkjob
from bkjob_async import errors
from bkjob_async.dialects.common.error_codes import BY_CODE, BY_WORD
from bkjob_async.docs.site import PAGES

PAGE = (PAGES / "errors.md").read_text(encoding="utf-8")
TREE = inspect.cleandoc(errors.__doc__ or "").partition("\n\n")[2]
WHO = dict(re.findall(r"(\w+) {2,}([a-z ]+):", TREE))
CLASSES = sorted(name for name in errors.__all__ if name not in {"BkJobError", "ErrorDetails"})


def test_the_tree_is_that_of_the_module() -> None:
    """Word for word."""
    assert f"```text\n{TREE}\n```" in PAGE


def test_the_tree_is_that_of_the_classes() -> None:
    """Each class stands below its base."""
    above: list[tuple[int, str]] = []
    for line in TREE.splitlines():
        depth, name = len(re.match(r"[│ ├└─]*", line)[0]), re.search(r"\w+", line)[0]  # type: ignore[index]
        above = [pair for pair in above if pair[0] < depth]
        if above:
            assert issubclass(getattr(bkjob, name), getattr(bkjob, above[-1][1]))
        above.append((depth, name))


def test_every_error_says_who_must_act() -> None:
    """In a row of its own."""
    table = PAGE.partition("## Facts")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([a-z ]*) \| .+ \|$", table, re.MULTILINE)

    assert sorted(rows) == sorted((name, WHO.get(name, "")) for name in CLASSES)


def test_every_code_is_documented() -> None:
    """With the class that it becomes."""
    table = PAGE.partition("## The platform's codes")[2]
    reported = {
        code: name
        for name, codes in re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
        for code in codes.split(", ")
    }

    assert reported == {str(code): kind.__name__ for code, kind in (*BY_CODE.items(), *BY_WORD.items())}
