"""Random histories of one fleet that several watches of several clients open at the same time."""

from __future__ import annotations

from attrs import frozen
from hypothesis import strategies as st

from bkjob_async.simulator.world.plans import SimulatedJob
from tests.watch.clients import ALL_DIALECTS
from tests.watch.histories import FaultWindow, jobs, slowness, windows

# When the last watch is left, in seconds.
END = 200.0


@frozen(kw_only=True)
class Opening:
    """One watch that opens the fleet *pause* seconds after the one before it, by client number *client*.

    Its reader begins behind what somebody was *given* last, with this opening, or with all that is kept; it reads so many
    seconds *late*. The watch is left after so many *seconds*; its client goes on.
    """

    client: int
    pause: float
    begins: str = "opening"
    seconds: float = END
    late: float = 0.0


@frozen(kw_only=True)
class Rivalry:
    """One random history: the world, what users do and when, what goes wrong, and who opens the fleet.

    Writing and reading the store takes up to *delay* seconds each way; of so many in a hundred appends the answer is
    lost (*losses*), and as many are never made. *actions* are (second, what, number). *checkpoints*: they are written as
    soon as there is a record behind the last one. *kept* is how many bytes of records are kept in front of them.
    *goes_back* are (second, seconds): from the one on, the store has what it had so many seconds before.
    """

    seed: int
    dialect: str
    plans: tuple[SimulatedJob, ...]
    openings: tuple[Opening, ...]
    parts: tuple[str, ...] = ("job",)
    actions: tuple[tuple[float, str, int], ...] = ()
    faults: tuple[FaultWindow, ...] = ()
    interval: float | None = None
    latency: float = 0.0
    delay: float = 0.0
    losses: int = 0
    group_polling: str = "small"
    checkpoints: bool = False
    kept: int = 1 << 30
    log_limit: int = 100_000
    goes_back: tuple[tuple[float, float], ...] = ()


openings = st.lists(
    st.builds(
        Opening,
        client=st.integers(0, 2),
        pause=st.sampled_from([0.0, 0.01, 0.5]) | st.floats(0.0, 30.0),
        begins=st.sampled_from(["opening", "given", "given", "all"]),
        seconds=st.sampled_from([END, END]) | st.floats(0.0, 30.0),
        late=st.sampled_from([0.0, 0.0, 30.0]),
    ),
    min_size=1,
    max_size=7,
).map(tuple)
actions = st.lists(
    st.tuples(
        st.floats(0, 90),
        st.sampled_from(["operate", "operate", "operate elsewhere", "stop", "start", "nudge", "add", "drop"]),
        st.integers(0, 11),
    ),
    max_size=6,
).map(lambda found: tuple(sorted(found)))
losses = st.lists(
    st.tuples(st.floats(1, 90), st.sampled_from([0.1, 1.0, 100.0]) | st.floats(0, 30)), min_size=1, max_size=2
).map(lambda found: tuple(sorted(found)))
# A reader that is late finds that the store has lost what has left the log.
LATE_AND_AGAIN = (
    Opening(client=0, pause=0.0, seconds=60.0, late=30.0),
    Opening(client=1, pause=20.0, late=30.0),
)
# A store that loses the first of these openings gives its term to the second.
ONE_AFTER_THE_OTHER = (Opening(client=0, pause=0.0), Opening(client=1, pause=2.0))
early_losses = st.tuples(st.tuples(st.floats(1.0, 2.0), st.just(100.0)))
rivalries = st.builds(
    Rivalry,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(ALL_DIALECTS),
    plans=st.lists(jobs, min_size=1, max_size=3).map(tuple),
    openings=openings,
    parts=st.lists(st.sampled_from(["job", "job", "first", "last", "both"]), min_size=1, max_size=3).map(
        tuple
    ),
    actions=actions,
    faults=st.lists(windows, max_size=1).map(tuple) | st.just(()) | slowness,
    interval=st.none() | st.floats(0.5, 8.0),
    latency=st.sampled_from([0.0, 0.05, 1.5]),
    delay=st.sampled_from([0.0, 0.01, 0.3, 3.0]),
    losses=st.sampled_from([0, 0, 10, 40]),
    group_polling=st.sampled_from(["small", "small", "counts"]),
    checkpoints=st.booleans(),
    kept=st.sampled_from([1 << 30, 1 << 30, 4000, 1]),
    log_limit=st.sampled_from([100_000, 100_000, 8]),
    goes_back=st.just(()) | st.just(()) | losses,
)
