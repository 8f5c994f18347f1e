"""What shows the same as before is passed over; reading it in full would have told nothing either."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import JobRef, Ref
from tests.engine.looks import JOB, Row, at, host, job, step
from tests.engine.tracking.test_job_tracker import tell
from tests.examples import examples


class Thorough(JobTracker, eq=False, gc=False):
    """A story that passes over nothing."""

    def _is_at_ease(self) -> bool:
        return False


def story_of(kind: type[JobTracker], target: Ref) -> JobTracker:
    """Return a story in which *target* is watched."""
    story = kind(JOB)
    story.want(target)
    return story


HOSTS = (
    [host(1, 7), host(2, 7)],
    [host(2, 7), host(1, 7)],
    [host(1, 7), host(2, 9)],
    [host(1, 9), host(2, 9)],
)
OTHER_ROWS: Sequence[Sequence[Row] | None] = (*HOSTS, HOSTS[0][:1], HOSTS[0] * 2, [], None)
BASES = (
    step(2, HOSTS[0]),
    step(3, HOSTS[3]),
    step(6, HOSTS[3]),
    step(777, HOSTS[0]),
    step(2, HOSTS[0], run=1),
)


def one_thing_changed(look: StepPollView) -> st.SearchStrategy[StepPollView]:
    """Return looks like *look*, all but for one thing."""
    rows = [step(look.status, rows, run=look.execute_count) for rows in OTHER_ROWS]
    changed = [
        replace(look, execute_count=1 - look.execute_count),
        replace(look, complete=False),
        replace(look, finished=True),
        replace(look, finished=False),
        replace(look, name="another"),
        replace(look, groups=None, complete=False),
        *(replace(look, status=status) for status in (1, 2, 3, 6, 777)),
    ]
    return st.sampled_from([look, *changed, *rows])


shown = st.sampled_from(BASES).flatmap(one_thing_changed)
changes = st.tuples(
    st.floats(0.5, 20.0),
    shown,
    st.sampled_from([None, None, 2, 2, 2, 3, 777]),  # of the job, where it is what is asked
    st.sampled_from([None, None, None, False, True]),
    st.sampled_from([0, 0, 1]),
    st.sampled_from([False, False, False, True]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, JobPollView | StepPollView, bool]]:
    """Return looks with the seconds before each; most show what the one before did."""
    looks: list[tuple[float, JobPollView | StepPollView, bool]] = []
    for _ in range(draw(st.integers(1, 5))):
        seconds, of_step, status, flag, further, operated = draw(changes)
        rest = [step(1, number=201)] * further
        look = of_step if status is None else job(status, of_step, *rest, finished=flag)
        looks += [(seconds, look, operated)] * draw(st.integers(1, 2))
        if isinstance(look, StepPollView):
            again: JobPollView | StepPollView = draw(one_thing_changed(look))
        else:
            again = replace(look, steps=(draw(one_thing_changed(of_step)), *rest))
        looks.append((seconds, again, False))
    return looks


@settings(max_examples=examples(300))
@given(st.sampled_from([JOB, JOB.step(200)]), histories())
def test_what_is_passed_over_is_no_news(
    target: Ref, looks: Sequence[tuple[float, JobPollView | StepPollView, bool]]
) -> None:
    """Whoever reads each answer in full tells the same at the same look, and stands where the other stands."""
    quick, thorough = story_of(JobTracker, target), story_of(Thorough, target)
    now = 0.0
    for seconds, look, operated in looks:
        if operated:
            quick.expect_change(now)
            thorough.expect_change(now)
        now += seconds
        assert tell(quick, now, look) == tell(thorough, now, look)
        assert standing(quick, now) == standing(thorough, now)


def standing(story: JobTracker, now: float) -> Sequence[object]:
    """Return what decides about what comes next."""
    return (
        story.all_settled(now),
        story.is_settling(now),
        story.is_waiting(now),
        story.seen_at,
        story.age(now),
        list(story.open_steps()) == [] or [t.alive_at for t in story.open_steps()],
        [story.snapshot(ref) for ref in story.targets],
        [list(story.present([ref], "0")) for ref in story.targets if isinstance(ref, JobRef)],
    )


def test_a_look_that_shows_the_same_is_passed_over() -> None:
    """The short way is gone: nothing is made for it, yet it counts as seen."""
    story = story_of(JobTracker, JOB)
    shown = job(2, step(2, [host(1, 7)]), step(1, number=201))
    story.apply_job(shown, at(0))

    assert story.apply_job(shown, at(3)) == ()
    assert story.seen_at == 3
