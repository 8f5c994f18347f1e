"""When an answer is taken in, and which place in the stream its news gets."""

from attrs import frozen


@frozen
class Moment:
    """The time *now* on the caller's clock, the batch's *sequence* and its *cursor*."""

    now: float
    sequence: int
    cursor: str
