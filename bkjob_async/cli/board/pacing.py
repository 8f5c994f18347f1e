"""When the next frame is drawn: at most four times a second, or twice where a frame is expensive."""

from __future__ import annotations

from attrs import define

FRAME_SECONDS, SLOW_FRAME_SECONDS = 0.25, 0.5
EXPENSIVE = 0.025


@define
class FramePacing:
    """The rhythm of frames, from what the last one cost."""

    drawn_at: float = float("-inf")
    cost: float = 0.0

    @property
    def interval(self) -> float:
        """The least number of seconds between two frames."""
        return SLOW_FRAME_SECONDS if self.cost > EXPENSIVE else FRAME_SECONDS

    def wait(self, now: float) -> float:
        """Return in how many seconds a frame may be drawn, 0 for now."""
        return max(0.0, self.drawn_at + self.interval - now)

    def on_frame(self, now: float, cost: float) -> None:
        """Record a frame that was begun *now* and cost so many seconds of CPU time."""
        self.drawn_at, self.cost = now, cost
