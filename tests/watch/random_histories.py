"""Random histories: how many, of which seed, and those that once broke a promise.

`BKJOB_HISTORIES` is how many of all families together, `BKJOB_SEED` the number that they are drawn by; the tests'
configuration chooses a fresh one and prints it. Both are read when a test runs, so that a command can set them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cattrs.preconf.json import make_converter
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis.strategies import SearchStrategy

H = TypeVar("H")
Run = Callable[[H], list[str]]

ON_A_CHANGE = 800
REGRESSIONS = Path(__file__).parent / "regressions.json"

_converter = make_converter(omit_if_default=True)


def keep_the_promise(histories: SearchStrategy[H], run: Run[H], *, share: float, part: int = 0) -> None:
    """Run a *share* of the random histories; raise AssertionError for the first that breaks a promise.

    The message has the history as an entry of `regressions.json`. Each *part* of a family draws others.
    """
    count = int(os.environ.get("BKJOB_HISTORIES", ON_A_CHANGE))

    @seed(int(os.environ["BKJOB_SEED"]) + part)
    @settings(
        max_examples=max(1, round(count * share)),
        database=None,
        derandomize=False,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(histories)
    def search(history: H) -> None:
        broken = run(history)

        if broken:
            note("\n".join(broken))
            note(f"as an entry of {REGRESSIONS.name}: {entry(history)}")
        assert broken == []

    search()


def entry(history: Any, name: str = "say here what it shows") -> str:
    """Return a history as an entry of `regressions.json`."""
    return json.dumps({"name": name, "history": _converter.unstructure(history)})


def regressions(kind: type[H]) -> dict[str, H]:
    """Return the histories of a *kind* that once broke a promise, by name."""
    entries = json.loads(REGRESSIONS.read_text(encoding="utf-8"))[kind.__name__]
    return {entry["name"]: _converter.structure(entry["history"], kind) for entry in entries}
