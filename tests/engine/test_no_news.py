"""What shows the same as before is passed over; reading it in full would have told nothing either."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.job_story import JobStory
from bkjob_async.model.look import JobLook, StepLook
from bkjob_async.model.refs import JobRef, Ref
from tests.engine.looks import JOB, at, host, job, step
from tests.engine.test_job_story import tell


class Thorough(JobStory):
    """A story that passes over nothing."""

    __slots__ = ()

    def _is_at_ease(self) -> bool:
        return False


def story_of(kind: type[JobStory], target: Ref) -> JobStory:
    """Return a story in which *target* is watched."""
    story = kind(JOB)
    story.want(target)
    return story


rows = st.lists(st.builds(host, st.integers(1, 3), st.sampled_from([5, 7, 9, 104, 777])), max_size=3)
steps = st.builds(
    step,
    st.sampled_from([1, 2, 3, 4, 6, 7, 10, 777]),
    st.none() | rows,
    number=st.sampled_from([200, 201]),
    run=st.integers(0, 1),
    complete=st.booleans(),
)
jobs = st.lists(steps, max_size=2, unique_by=lambda look: look.step_instance_id).flatmap(
    lambda looks: st.builds(
        lambda status, finished: job(status, *looks, finished=finished),
        st.sampled_from([1, 2, 3, 4, 7, 777]),
        st.sampled_from([None, None, False, True]),
    )
)
# Most looks are shown for some time.
histories = st.lists(
    st.tuples(st.floats(0.5, 20.0), st.one_of(jobs, steps), st.integers(1, 3), st.booleans()), max_size=8
)


@given(st.sampled_from([JOB, JOB.step(200)]), histories)
def test_what_is_passed_over_is_no_news(
    target: Ref, looks: Sequence[tuple[float, JobLook | StepLook, int, bool]]
) -> None:
    """Whoever reads each answer in full tells the same at the same look, and stands where the other stands."""
    quick, thorough = story_of(JobStory, target), story_of(Thorough, target)
    now = 0.0
    for seconds, look, times, operated in looks:
        if operated:
            quick.expect_change(now)
            thorough.expect_change(now)
        for _ in range(times):
            now += seconds
            assert tell(quick, now, look) == tell(thorough, now, look)
            assert standing(quick, now) == standing(thorough, now)


def standing(story: JobStory, now: float) -> Sequence[object]:
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
    story = story_of(JobStory, JOB)
    shown = job(2, step(2, [host(1, 7)]), step(1, number=201))
    story.apply_job(shown, at(0))

    assert story.apply_job(shown, at(3)) == ()
    assert story.seen_at == 3
