"""Since when what is known of a job was requested, for watches that came to it while it was polled already.

Times are numbers of the client's batches: they only rise, also where a clock stands still or is set back. Who comes to a
job takes a number (`CursorSequence.take_number`), and a request that is sent afterwards has that one or a later one.
"""

from __future__ import annotations

from msgspec import Struct, field

from bkjob_async.model.refs import Ref

# What the platform refuses to show is waited for so many seconds; then it is reported as it was read last.
REFUSED_SECONDS = 30.0


class ReadTimes(Struct, eq=False):
    """When the requests were sent whose responses show all parts of a job, and those that were *refused* of late.

    *requested* is of the requests under way, *read* of the last that were answered, *wanted* the time after which who joined
    last wants them sent. A part that is refused has what was *read* before, and since when it is.

    | the target | its parts | it is read since a time if |
    | --- | --- | --- |
    | a step | the step, the job itself | both were requested after it, or are refused for `REFUSED_SECONDS` |
    | a job | the job itself, its steps | all were requested after it, or are refused for `REFUSED_SECONDS` |
    """

    requested: int = 0
    read: int = 0
    wanted: int = 0
    refused: dict[Ref, tuple[int, float]] = field(default_factory=dict)

    @property
    def are_outdated(self) -> bool:
        """Whether the requests under way were sent before somebody joined."""
        return self.requested < self.wanted

    def complete(self, now: float, refused: tuple[Ref, ...]) -> None:
        """Record that every request under way was answered, those about *refused* parts with an error."""
        self.refused = {ref: self.refused.get(ref, (self.read, now)) for ref in refused}
        self.read = self.requested

    def shows(self, ref: Ref, since: int, now: float) -> bool:
        """Return True if every part of *ref* was answered by a request that was sent after *since*."""
        if self.read < since:
            return False
        for part, (read, refused_at) in self.refused.items():
            is_waited_for = now - refused_at < REFUSED_SECONDS
            if read < since and is_waited_for and (part in (ref, ref.job) or ref == ref.job):
                return False
        return True
