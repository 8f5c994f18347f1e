"""What is remembered of one target to decide when it is looked at next."""

from math import inf

# How much of the newest rate counts; the rest is what was seen before.
NEWEST = 0.5


class Pace:
    """One target's place in the fleet: what it weighs, when it is due, how its hosts have been moving."""

    __slots__ = ("cost", "due", "looks", "moves", "opened", "rung", "seen_at", "step", "weight")

    def __init__(self) -> None:
        self.weight = 0.0
        self.step = 0.0
        self.due = inf
        self.cost = 1
        self.looks = 0
        self.moves = 0.0
        self.opened = 0
        self.seen_at: float | None = None
        self.rung = False

    def came_due(self, now: float) -> float:
        """Return how late a look at *now* is; one that nobody planned is not late."""
        late = max(0.0, now - self.due)
        self.due = inf
        return late

    def saw(self, unfinished: int, now: float) -> None:
        """Take note of how many hosts are not finished at *now*."""
        if self.seen_at is not None and now > self.seen_at:
            rate = max(0, self.opened - unfinished) / (now - self.seen_at)
            self.moves += NEWEST * (rate - self.moves)
        self.opened = unfinished
        self.seen_at = now
