"""The file of a SQLite journal: whose it is, its tables, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from math import inf
from pathlib import Path

from bkjob_async.errors import (
    JournalDamaged,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
    NotAJournal,
)

# "bkjl", in the header of the file; and the version of the tables: the first as long as the file has no table of keys.
APPLICATION_ID = 0x626B6A6C
FIRST_VERSION, SCHEMA_VERSION = 1, 2

# Seconds that a statement waits for another process's lock.
LOCK_TIMEOUT = 2.0
WAL_SIZE_LIMIT = 16 << 20
# What cannot wait for a lock is tried again after so many seconds: reading a header that another process is writing,
# and beginning the write-ahead log, for which SQLite does not wait.
LOCK_PAUSE = 0.02


def copy_of(*columns: str) -> str:
    """Return the expression of what a row says, in whole numbers and text, as each version of SQLite writes them."""
    return "||','||".join(f"quote({column})" for column in columns)


def written_as(copy: str) -> str:
    """Return the column with a *copy*: SQLite itself stores it with each change of a row, whichever version makes it."""
    return f"written TEXT GENERATED ALWAYS AS ({copy}) STORED"


FLEET_COLUMNS = (
    *("id", "name", "term", "head", "host", "pid", "is_held", "last_seen", "targets", "size"),
    *("removed_to", "checkpoint", "refused", "is_forgotten"),
)
FLEET_COPY = copy_of(
    *("CAST(last_seen * 1000 AS INTEGER)" if each == "last_seen" else each for each in FLEET_COLUMNS[1:])
)

SCHEMA = f"""
CREATE TABLE fleet (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, term INTEGER NOT NULL, head INTEGER NOT NULL,
  host TEXT NOT NULL, pid INTEGER NOT NULL, is_held INTEGER NOT NULL, last_seen REAL, targets INTEGER NOT NULL,
  size INTEGER NOT NULL, removed_to INTEGER NOT NULL, checkpoint INTEGER, refused INTEGER NOT NULL,
  is_forgotten INTEGER NOT NULL, {written_as(FLEET_COPY)}
);
CREATE TABLE record (
  id INTEGER PRIMARY KEY, fleet INTEGER NOT NULL, sequence INTEGER NOT NULL,
  previous INTEGER NOT NULL, time REAL NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (fleet, sequence)
);
CREATE TABLE checkpoint_part (
  id INTEGER PRIMARY KEY, fleet INTEGER NOT NULL, number INTEGER NOT NULL,
  checksum INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (fleet, number)
);
"""

# What a file must not have: SQLite would run it, perhaps without end.
FOREIGN = "type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
# Seconds of CPU time that one transaction may take, and after how many steps of SQLite that is looked at.
CPU_SECONDS, STEPS = 10.0, 1_000_000

# An error without a code is one of Python's: a text that cannot be decoded.
_DAMAGE = {0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR}
# Another process is at work; the last of these after very many attempts to begin to read.
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
# Errors after which the connection is used on: nothing is wrong with the file itself.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}


class SqliteFile:
    """One connection to the file of a journal; used by one thread, opened again after errors of the disk.

    `is_header_behind` is whether the version has risen in the log, and not yet in the header of the file, where processes of
    an earlier version look for it.
    """

    def __init__(self, path: str, shown: str, *, synchronous: str) -> None:
        """Keep where the file is; it is not opened before it is used. *shown* names it in errors."""
        self.path = Path(path).absolute()
        self._shown = shown
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._log_identity: tuple[int, int] | None = None
        self._is_immutable = False
        self._header_version = FIRST_VERSION
        self.is_header_behind = False
        self._cpu_end = inf

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run a read transaction; raises `JournalUnavailable` where there is no file."""
        with self._transaction("BEGIN", create=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run a write transaction; creates the journal where there is none."""
        with self._transaction("BEGIN IMMEDIATE", create=True) as connection:
            yield connection
        if self.is_header_behind:
            self._write_header(connection)

    def _write_header(self, connection: sqlite3.Connection) -> None:
        """Take what is in the log to the file, as far as nobody reads an older state."""
        with suppress(sqlite3.Error):
            _, pages, taken = connection.execute("PRAGMA wal_checkpoint").fetchone()
            self.is_header_behind = taken < pages

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def _transaction(self, begin: str, *, create: bool) -> Iterator[sqlite3.Connection]:
        self._cpu_end = time.thread_time() + CPU_SECONDS
        try:
            connection = self._connect(create=create)
            with transaction(connection, begin):
                yield connection
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            if _code_of(error) not in _PASSING:
                self.close()
            raise self.translated(error) from error
        except (
            TypeError,
            ValueError,
            OverflowError,
        ) as error:  # a text that is none, a number in place of bytes
            self.close()
            raise JournalDamaged("the file holds what was never written", journal=self._shown) from error

    def translated(self, error: sqlite3.Error) -> JournalError:
        """Return what an error of SQLite means for a journal."""
        if _code_of(error) == sqlite3.SQLITE_INTERRUPT:
            return JournalDamaged("the file makes SQLite work without end", journal=self._shown)
        if _code_of(error) in _DAMAGE or isinstance(error, sqlite3.IntegrityError):
            return JournalDamaged(f"the file is damaged: {error}", journal=self._shown)
        return JournalUnavailable(f"SQLite: {error}", journal=self._shown)

    # Opening --------------------------------------------------------------------------------------------------------

    def _connect(self, *, create: bool) -> sqlite3.Connection:
        """Return the connection; open it if there is none, or if another file has taken the place of ours."""
        found = self._identity_now()
        if self._connection is not None:
            if found == self._identity and not (self._is_immutable and self._has_wal()):
                return self._connection
            if found not in (None, self._identity):
                self._remove_old_log()
            self.close()
        if found is None and not create:
            raise JournalUnavailable("there is no such file: check the path", journal=self._shown)
        if found is None and not self.path.parent.is_dir():
            raise JournalUnavailable(f"the folder {self.path.parent} does not exist", journal=self._shown)
        if self._check_header() and not create:
            raise JournalUnavailable("the file is still empty", journal=self._shown)
        self._is_immutable = False
        if found is None:
            self._create_file()
        try:
            connection = self._open("mode=rwc" if create else "mode=rw", create=create)
        except sqlite3.OperationalError as error:
            # Reading with a write-ahead log needs a file beside the journal; where none can be made, nobody writes.
            if create or is_locked(error) or self._has_wal():
                raise
            connection = self._open("mode=ro&immutable=1", create=False)
            self._is_immutable = True
        self._connection, self._identity = connection, self._identity_now()
        self._log_identity = identity_of(self._beside("-wal"))
        return connection

    def _remove_old_log(self) -> None:
        """Remove the log of our file where another has taken its place: SQLite would apply it to that one.

        A log that another process has begun for the new file is left.
        """
        # Ours is still open, so that its number is no other file's.
        log = self._beside("-wal")
        if self._log_identity is None or identity_of(log) != self._log_identity:
            return
        try:
            for file in (log, self._beside("-shm")):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise JournalUnavailable(
                f"another file has taken its place, and the log of the old one cannot be removed: {error.strerror}",
                journal=self._shown,
            ) from error

    def _open(self, mode: str, *, create: bool) -> sqlite3.Connection:
        """Return a connection that is set up; create the tables where there are none."""
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?{mode}",
            uri=True,
            timeout=LOCK_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.set_progress_handler(self._is_too_long, STEPS)
        try:
            # The first statement undoes what a process left that was killed while it created the file.
            if not self._count_tables(connection):
                self._create(connection, may_create=create)
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT}")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            if "immutable" not in mode:
                _begin_log(connection)
            connection.execute("SELECT max(id) FROM fleet").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except BaseException:
            connection.close()
            raise
        self.is_header_behind = version > self._header_version
        return connection

    def _count_tables(self, connection: sqlite3.Connection) -> int:
        """Return how many tables and indices there are; raise `NotAJournal` where there is anything else."""
        count, foreign = connection.execute(
            f"SELECT count(*), total({FOREIGN}) FROM sqlite_schema"  # noqa: S608 - a constant
        ).fetchone()
        if foreign:
            raise NotAJournal("it has views or triggers, which no journal has", journal=self._shown)
        return int(count)

    def _create_file(self) -> None:
        """Create the file for its owner alone; SQLite gives its log the same permissions."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise JournalUnavailable(f"{error.strerror}", journal=self._shown) from error

    def _create(self, connection: sqlite3.Connection, *, may_create: bool) -> None:
        """Create the tables in an empty file; raise `JournalUnavailable` for a reader."""
        if not may_create:
            raise JournalUnavailable("the file is still empty", journal=self._shown)
        create_tables(connection)

    def _is_too_long(self) -> bool:
        """Return True, which ends a statement, where the file makes SQLite work for too long."""
        return time.thread_time() > self._cpu_end

    def _has_wal(self) -> bool:
        """Return True where a write-ahead log lies beside the file."""
        try:
            return self._beside("-wal").stat().st_size > 0
        except OSError:  # there is none, or another process has just removed it
            return False

    def _beside(self, ending: str) -> Path:
        """Return the path of a file that SQLite has beside ours."""
        return Path(f"{self.path}{ending}")

    def _identity_now(self) -> tuple[int, int] | None:
        """Return what tells the file at our path from any other, None where there is none."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise JournalUnavailable(f"{error.strerror}", journal=self._shown) from error
        if not stat.S_ISREG(status.st_mode):
            raise NotAJournal("it is not a file", journal=self._shown)
        return (status.st_dev, status.st_ino)

    def _check_header(self) -> bool:
        """Return True for a file that is to be created; raise for one that is not a journal of this version.

        While another process creates the file, its header may make no sense, and a rollback journal lies beside it. Where
        that process was killed, SQLite undoes what it did.
        """
        end = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                return self._is_new()
            except JournalError as error:
                if not self._is_being_created():
                    return self._is_new()  # it was created meanwhile, or is no journal
                if time.monotonic() >= end:
                    if isinstance(error.__cause__, sqlite3.Error):
                        return True
                    raise
            time.sleep(LOCK_PAUSE)

    def _is_being_created(self) -> bool:
        """Return True while a rollback journal lies beside the file."""
        return self._beside("-journal").exists()

    def _is_new(self) -> bool:
        """Read the header, without locks and without touching the file."""
        self._header_version = FIRST_VERSION  # of one that is to be created
        if not self.path.exists() or not self.path.stat().st_size:
            return True
        try:
            application, version, page_size = self._header("mode=ro&immutable=1")
        except sqlite3.DatabaseError as error:
            if _code_of(error) == sqlite3.SQLITE_NOTADB:
                raise NotAJournal("it is not a SQLite database", journal=self._shown) from error
            application, version, page_size = self._header_behind_wal(error)
        if application != APPLICATION_ID:
            raise NotAJournal("it is the database of another program", journal=self._shown)
        if version > SCHEMA_VERSION:
            raise JournalTooNew(
                f"its version is {version}, this package knows {SCHEMA_VERSION}", journal=self._shown
            )
        if self.path.stat().st_size % page_size and not self._has_wal():
            raise JournalDamaged("the file is truncated", journal=self._shown)
        self._header_version = version
        return False

    def _header_behind_wal(self, error: sqlite3.DatabaseError) -> tuple[int, int, int]:
        """Read the header of a file that seems truncated; its missing pages may be in the write-ahead log."""
        if not self._has_wal():
            raise self.translated(error) from error
        try:
            return self._header("mode=ro")
        except sqlite3.Error as second:
            raise self.translated(second) from second

    def _header(self, mode: str) -> tuple[int, int, int]:
        """Return the application, the version and the size of pages that the header names."""
        with closing(
            sqlite3.connect(f"{self.path.as_uri()}?{mode}", uri=True, timeout=LOCK_TIMEOUT)
        ) as probe:
            (application,) = probe.execute("PRAGMA application_id").fetchone()
            (version,) = probe.execute("PRAGMA user_version").fetchone()
            (page_size,) = probe.execute("PRAGMA page_size").fetchone()
        return application, version, page_size


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at *path* from any other, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Run a transaction that the statement *begin* begins; it is rolled back on any error."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables, unless another process was quicker; before the log is there, so that the header is in the file."""
    with transaction(connection, "BEGIN IMMEDIATE"):
        (count,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not count:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FIRST_VERSION}")


def _begin_log(connection: sqlite3.Connection) -> None:
    """Begin the write-ahead log where there is none; SQLite does not wait for a process that does the same."""
    end = time.monotonic() + LOCK_TIMEOUT
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() >= end:
                raise
            time.sleep(LOCK_PAUSE)
        else:
            return  # without an error where the disk allows no such log


def is_locked(error: BaseException | None) -> bool:
    """Return True where another process is at work, and SQLite waited for it in vain."""
    return isinstance(error, sqlite3.Error) and _code_of(error) in _LOCKED


def _code_of(error: sqlite3.Error) -> int:
    """Return the primary code of an error; 0 where SQLite gave none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
