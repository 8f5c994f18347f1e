"""What can go wrong with a journal, by who must act; `errors` draws the whole tree."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async.model.base_error import BkJobError
from bkjob_async.model.text.printing import printable

# An error names so many other shards at most.
NAMED = 8


class JournalError(BkJobError):
    """Something is wrong with a journal; *journal* names it, without any password."""

    def __init__(self, message: str, *, journal: str = "") -> None:
        """Keep the name of the *journal*, which the text shows."""
        super().__init__(message)
        self.journal = journal

    def __str__(self) -> str:
        where = printable(f" ({self.journal})") if self.journal else ""
        return f"{super().__str__()}{where}" + (f"; {self.advice}" if self.advice else "")


class JournalUnavailable(JournalError):
    """The store cannot be used at present: away, locked, full or read-only; nothing was changed, or it is unknown."""

    advice = "make it reachable, writable and large enough"


class JournalAccessDenied(JournalUnavailable):
    """The server of the journal refuses the user, the password, or a command that the user may not run.

    A watch that is open goes on to try, for a password may be changed in two steps; what opens a journal raises at once.
    """

    advice = "give a user and a password that may read and write its keys"


class Superseded(JournalError):
    """The fleet was opened elsewhere: this holder's records are refused from now on.

    *term* is the one that was refused, *current_term* the one that the journal has; *holder* names the present holder.
    """

    advice = "leave this watch; the other one goes on"

    def __init__(
        self, message: str, *, term: int, current_term: int, holder: str = "", journal: str = ""
    ) -> None:
        """Keep both terms and the *holder*."""
        super().__init__(message, journal=journal)
        self.term = term
        self.current_term = current_term
        self.holder = holder


class FleetBusy(JournalError):
    """Another process holds the fleet: *host*, *pid*, and *seconds* since its last sign of life.

    Of a fleet in shards, *name* is that of a shard, and *others* are the names of the other shards that have runners.
    """

    advice = "stop it, wait until it was silent for 25 s, or take the fleet over"

    def __init__(
        self, name: str, *, host: str, pid: int, seconds: float, others: Sequence[str] = (), journal: str = ""
    ) -> None:
        """Keep who holds the fleet *name*."""
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        too = f"; also held: {', '.join(others[:NAMED])}{more}" if others else ""
        super().__init__(
            f"the fleet {name!r} is held by process {pid} on {host}, last seen {seconds:.0f} s ago{too}",
            journal=journal,
        )
        self.others = tuple(others)
        self.name = name
        self.host = host
        self.pid = pid
        self.seconds = seconds


class FleetNotFound(JournalError):
    """The journal has no fleet of this name."""

    advice = "check the name; `Journal.fleets()` and `bkjob journal show` list those that there are"


class StoreBehind(JournalError):
    """The store holds less than it had acknowledged: its head is *head* in term *term*.

    A store raises it and a watch heals it, so users never see it. A Redis server that lost its newest writes
    (failover, crash) is the common cause.
    """

    advice = "open the fleet again and store what is behind its head"

    def __init__(self, message: str, *, term: int, head: int, journal: str = "") -> None:
        """Keep what the store has left."""
        super().__init__(message, journal=journal)
        self.term = term
        self.head = head


class NotAJournal(JournalError):
    """What lies at this place belongs to another program; it was not touched."""

    advice = "give another place"


class JournalTooNew(JournalError):
    """A newer version of this package wrote the journal; it was not touched."""

    advice = "upgrade bkjob-async"


class JournalDamaged(JournalError):
    """The journal cannot be read: truncated, overwritten, or broken by the disk; it was not touched."""

    advice = "restore it from a backup, or move it away and begin a new one; of a SQLite file remove -wal and -shm as well"
