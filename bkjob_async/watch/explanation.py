"""Why a target is, or is not, being looked at."""

from attrs import frozen

from bkjob_async.model.refs import Ref


@frozen(kw_only=True)
class Explanation:
    """What the engine thinks about one target just now.

    *because* is a few words; *seen_ago* and *next_in* are seconds, None where it was never seen or is not due.
    *failures* counts failed polls in a row.
    """

    ref: Ref
    because: str
    seen_ago: float | None = None
    next_in: float | None = None
    failures: int = 0

    def __str__(self) -> str:
        seen = "never seen" if self.seen_ago is None else f"seen {self.seen_ago:.1f} s ago"
        due = "not due" if self.next_in is None else f"next look in {self.next_in:.1f} s"
        failed = f", {self.failures} failed poll(s)" if self.failures else ""
        return f"{self.ref}: {self.because}; {seen}, {due}{failed}"
