"""How often to look."""

from bkjob_async.engine.cadence import Cadence


def test_it_follows_the_platforms_own_rhythm() -> None:
    """The platform learns of hosts every 1, 2, 5, then 10 s; looking more often shows nothing."""
    ages = [0.0, 9.9, 10.0, 59.0, 60.0, 299.0, 300.0, 86_400.0]
    waits = [Cadence().next_wait(age=age, settling=False, waiting=False) for age in ages]

    assert waits == [1, 1, 2, 2, 5, 5, 10, 10]


def test_a_settling_target_is_looked_at_every_second() -> None:
    """Whatever its age."""
    assert Cadence().next_wait(age=9_999.0, settling=True, waiting=False) == 1.0
    assert Cadence(interval=0.2).next_wait(age=0.0, settling=True, waiting=False) == 0.2


def test_what_waits_for_a_user_is_not_hurried() -> None:
    """Nobody confirms within a second."""
    assert Cadence().next_wait(age=0.0, settling=False, waiting=True) == 5.0


def test_a_fixed_interval_is_kept() -> None:
    """The user's word goes."""
    assert Cadence(interval=3.0).next_wait(age=500.0, settling=False, waiting=False) == 3.0


def test_failures_back_off_up_to_a_minute() -> None:
    """A broken target costs little, and is tried for ever."""
    assert [Cadence().after_failure(n) for n in (1, 2, 3, 7, 500)] == [1, 2, 4, 60, 60]
