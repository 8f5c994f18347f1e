"""The sampler of mutants finds changes, makes them, and tells what became of them."""

from pathlib import Path

import pytest

from tests.mutants.covering_tests import MEASURED_TO, CoveringTests
from tests.mutants.mutations import mutants_of
from tests.mutants.trials import HISTORIES, Copy, Group, all_mutants, groups_for, sampled, trials

pytestmark = pytest.mark.deep

SOURCE = '''"""A file."""

LIMIT = 3


def grows(value: int = 1) -> bool:
    """Whether it does."""
    if value > 2 and not value == 7:
        print(value + 1)
    return True
'''


def test_every_kind_of_change_is_found(tmp_path: Path) -> None:
    """What has a name outside of functions, docstrings and annotations stay."""
    path = tmp_path / "file.py"
    path.write_text(SOURCE)

    found = {mutant.name.removeprefix("grows: ") for mutant in mutants_of(path)}

    assert found == {
        "value > 2 and not value == 7 -> (not (value > 2 and (not value == 7)))",
        "value > 2 and not value == 7 -> (value > 2 or not value == 7)",
        "value > 2 -> (value >= 2)",
        "2 -> (3)",
        "2 -> (1)",
        "not value == 7 -> (value == 7)",
        "value == 7 -> (value != 7)",
        "7 -> (8)",
        "7 -> (6)",
        "print(value + 1) -> pass",
        "value + 1 -> (value - 1)",
        "1 -> (2)",
        "1 -> (0)",
        "True -> (False)",
    }


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    """All rooms have mutants."""
    mutants = all_mutants()

    assert len(mutants) > 2000
    assert sampled(mutants, 20, 1) == sampled(mutants, 20, 1) != sampled(mutants, 20, 2)


def test_a_mutant_is_killed_or_survives() -> None:
    """Two mutants are tried: one against a test that notices everything, both against one that notices nothing."""
    mutants = [m for m in all_mutants() if m.unit == "classify_poll_error"][:2]
    strict, blind = Group(("tests/engine/tracking/test_error_policy.py",)), Group(("tests/test_public.py",))

    assert [trial.killed for trial in trials(mutants, lambda _: [strict], processes=2)] == [True, True]
    assert [trial.killed for trial in trials(mutants, lambda _: [blind], processes=2)] == [False, False]


def test_the_tests_that_run_a_line_are_measured(tmp_path: Path) -> None:
    """A mutant is tried against those, the tests of its own folder first, and against random histories at last."""
    path, test = tmp_path / "measured", "tests/engine/tracking/test_error_policy.py"
    Copy(tmp_path / "copy").passes(
        Group(("-p", "tests.mutants.covering_tests", test)), **{MEASURED_TO: str(path)}
    )
    covering = CoveringTests.read(path)
    mutant = next(m for m in all_mutants() if m.unit == "classify_poll_error")

    first, _, last = groups_for(mutant, covering)

    assert first.tests
    assert all(name.startswith(test) for name in first.tests)
    assert last.tests == HISTORIES
    assert covering.of("bkjob_async/engine/tracking/error_policy.py", 1, 2, [test]) == []


def test_what_several_processes_measure_is_joined() -> None:
    """Each numbers its own tests."""
    one = CoveringTests(["a", "b"], [0.1, 0.2], {"x.py": {"1": [0, 1]}})
    other = CoveringTests(["c"], [0.3], {"x.py": {"1": [0], "2": [0]}, "y.py": {"7": [0]}})

    joined = CoveringTests.joined([one, other])

    assert joined.of("x.py", 1, 1, []) == [("a", 0.1), ("b", 0.2), ("c", 0.3)]
    assert joined.of("x.py", 2, 2, []) == joined.of("y.py", 7, 7, []) == [("c", 0.3)]
