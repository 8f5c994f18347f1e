"""Bodies that arrive in pieces come out whole, however many segments they took."""

import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.wire.bodies import buffer as body_buffer
from bkjob_async.wire.bodies.buffer import BodyBuffer


@pytest.fixture(autouse=True, scope="module")
def _small_segments() -> Iterator[None]:
    """Let a few bytes need several segments."""
    patch = pytest.MonkeyPatch()
    patch.setattr(body_buffer, "FIRST_SEGMENT", 10)
    patch.setattr(body_buffer, "FURTHER_SEGMENT", 7)
    yield
    patch.undo()


@given(st.lists(st.binary(max_size=30), max_size=12), st.booleans())
def test_the_pieces_come_out_in_order(pieces: list[bytes], are_views: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever the pieces are."""
    whole = b"".join(pieces)

    with closing(BodyBuffer()) as buffer:
        for piece in pieces:
            buffer.write(memoryview(piece) if are_views else piece)
        assert buffer.size == len(whole)
        assert buffer.getvalue() == whole


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=12))
def test_a_body_that_never_becomes_whole_is_freed(pieces: list[bytes]) -> None:
    """Closing twice does no harm."""
    buffer = BodyBuffer()
    for piece in pieces:
        buffer.write(piece)

    buffer.close()
    buffer.close()

    with pytest.raises(ValueError, match="closed"):
        buffer.write(b"x")


WAVES = """
import resource
from contextlib import closing
from bkjob_async.wire.bodies.buffer import BodyBuffer, keep_freed_memory

keep_freed_memory() if {kept} else None


def wave():
    bodies = []
    for _ in range(8):
        with closing(BodyBuffer()) as body:
            body.write(b"x" * 280_000)
            bodies.append(body.getvalue())


for _ in range(3):
    wave()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    wave()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators do not return memory so soon")
def test_waves_of_bodies_use_the_same_memory_again() -> None:
    """A wave of bodies takes no pages anew that the wave before it has left."""

    def faults(*, kept: bool) -> int:
        code = WAVES.format(kept=kept)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert 10 * faults(kept=True) < faults(kept=False)
