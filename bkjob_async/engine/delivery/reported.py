"""What one watch has reported of a target: mostly the state itself, which all watches of a job share.

At a poll, by what is *reported* of a target and how the target stands:

| reported | the target | the watch gives | and then reported is |
| --- | --- | --- | --- |
| `Shared` | | the events of the poll | the same |
| `Shared` but for its end: its job was dropped | was read, and is over | `Finished` | `Shared` |
| `Own`, empty: it was added, or added again | was not read since, or settles | trouble with it and its end, once each | the same |
| | was read | all that is known of it | `Shared` since this batch |
| | was read, a step whose job is `Shared` | `Finished`, if it is: the rest was given with the job | `Shared` since this batch |
| `Own`, restored from a journal | was not read since, or settles | as above, unless its end was reported: then nothing | the same |
| | was read | the difference | `Shared` since this batch |
| `Shared`, or `Own` | is lost | `Lost`; nothing if its end was reported | `Frozen` |
| `Frozen` | whatever other watches see of it | nothing, until it is dropped and added again | the same |

A failed poll is no read: it delays what is given, and changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Lost
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.status import Phase


class Shared(Struct, frozen=True, gc=False):
    """The state of the job, since the batch number *since*: nothing before that batch is known to a reader.

    But where it *is_continued*: something of the target was reported before, in an earlier process or with a step that is no
    target any more. With *end_after* it was given with its job, which is no target any more, but for its end: that is given
    when what was requested after that time shows it, 0 once something did.
    """

    since: int = -1
    is_continued: bool = False
    end_after: int | None = None


# Of most targets: from their first poll on.
SHARED = Shared()


class Own(Struct, eq=False, gc=False):
    """An own state: empty, or *restored* from a journal, until what was requested *after* a time shows the target.

    *after* is 0 once it did. *has_trouble*: trouble with the target was reported, and not its end. *lacks_end*: all was
    reported with its job, which was restored, but for its end.
    """

    after: int
    restored: JobState | None = None
    has_trouble: bool = False
    lacks_end: bool = False

    def has_ended(self, ref: Ref) -> bool:
        """Return True if the end of *ref* was reported."""
        return self.restored is not None and not self.lacks_end and self.restored.has_finished(ref)


class Frozen(Struct, frozen=True):
    """The state in which a target was *lost*, in batch number *since*, with the counts of its hosts by step.

    *before* is what was reported then, None if no state was. *ended* has the restored end of a target that cannot be read.
    """

    since: int
    lost: Lost
    counts: dict[StepRef, Mapping[Phase, int]]
    before: Shared | None = SHARED
    ended: JobState | None = None


Reported = Shared | Own | Frozen


def is_shared(reported: Reported) -> bool:
    """Return True if the watch is given the events of a target as they come, and was given its end, if it has one."""
    return isinstance(reported, Shared) and reported.end_after is None


def awaited_after(reported: Reported) -> int:
    """Return the time after which what is to be read of a target must be requested, 0 where nothing is."""
    if isinstance(reported, Shared):
        return reported.end_after or 0
    return reported.after if isinstance(reported, Own) else 0
