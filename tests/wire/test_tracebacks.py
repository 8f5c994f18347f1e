"""Errors are raised without the frames that they passed."""

import asyncio
import gc
import inspect
import traceback
import warnings

import pytest

from bkjob_async.errors import UsageError
from bkjob_async.wire.tracebacks import hide_arguments, hide_call_arguments, strip_traceback

SECRET = "s3cret-1a2b3c"


def failing(error: BaseException) -> BaseException:
    """Return *error* after it passed a frame that holds a secret."""

    def fail(_secret: str) -> None:
        raise error

    try:
        fail(SECRET)
    except BaseException as caught:  # noqa: BLE001 - any of them
        return caught
    raise AssertionError


def test_an_expected_error_is_as_if_it_were_new() -> None:
    """Nothing stands behind it."""
    for error in (UsageError("no"), asyncio.CancelledError()):
        error.__context__ = error.__cause__ = ValueError(SECRET)
        shown = strip_traceback(failing(error))

        assert shown is error
        assert (shown.__traceback__, shown.__cause__, shown.__context__) == (None, None, None)


def test_an_unexpected_error_tells_its_way_as_text() -> None:
    """So that it can be reported; the lines of code hold no values."""
    shown = strip_traceback(failing(ZeroDivisionError("no")), [SECRET])
    text = "".join(traceback.format_exception(shown))

    assert isinstance(shown, ZeroDivisionError)
    assert "in fail" in text
    assert SECRET not in text


def test_an_unexpected_error_that_says_a_secret_becomes_another() -> None:
    """Its class stays in the text."""
    shown = strip_traceback(failing(KeyError(SECRET)), [SECRET])

    assert str(shown) == "KeyError: '***'"


async def test_arguments_are_in_no_frame() -> None:
    """The function looks as it did to whoever calls it."""

    @hide_arguments
    async def launch(password: str, *, fail: bool = False) -> str:
        """Launch something."""
        await asyncio.sleep(0)
        if fail:
            raise UsageError("no")
        return password[:1]

    assert await launch(SECRET) == SECRET[:1]
    assert (launch.__name__, launch.__doc__) == ("launch", "Launch something.")
    with pytest.raises(UsageError) as failed:
        await launch(SECRET, fail=True)
    frames = [frame for frame, _ in traceback.walk_tb(failed.value.__traceback__)]
    ours = [frame for frame in frames if "bkjob_async/" in frame.f_code.co_filename]
    assert [frame.f_code.co_name for frame in ours] == ["called"]
    assert SECRET not in str([frame.f_locals for frame in ours])


async def test_a_call_that_is_cancelled_before_it_begins_is_not_reported() -> None:
    """As one that nobody awaited: a task group that fails at once cancels such tasks."""

    @hide_arguments
    async def launch(password: str) -> str:
        return password

    assert inspect.iscoroutinefunction(launch)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        task = asyncio.create_task(launch(SECRET))
        task.cancel()
        await asyncio.wait([task])
        gc.collect()
    assert task.cancelled()
    assert [str(each.message) for each in warned] == []


def test_a_plain_function_returns_and_raises_without_its_arguments() -> None:
    """Its result is its own."""

    @hide_call_arguments
    def reciprocal(number: int, _secret: str) -> float:
        return 1 / number

    assert reciprocal(2, SECRET) == 0.5
    with pytest.raises(ZeroDivisionError) as caught:
        reciprocal(0, SECRET)
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    here = [line for line in trace.format() if "test_a_plain_function" not in line]
    assert SECRET not in "".join(here)
