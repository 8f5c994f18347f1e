"""The file of a SQLite journal: whose it is, its tables, and what its errors mean."""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bkjob_async.errors import (
    JournalDamaged,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
    NotAJournal,
)

# "bkjl", in the header of the file; and the version of the tables.
APPLICATION_ID = 0x626B6A6C
SCHEMA_VERSION = 1

# Seconds that a statement waits for another process's lock.
LOCK_TIMEOUT = 2.0
WAL_SIZE_LIMIT = 16 << 20
# Another process may be creating the file: its header is looked at again so often, after so many seconds.
CREATION_LOOKS, CREATION_PAUSE = 20, 0.05

SCHEMA = """
CREATE TABLE fleet (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, term INTEGER NOT NULL, head INTEGER NOT NULL,
  host TEXT NOT NULL, pid INTEGER NOT NULL, is_held INTEGER NOT NULL, last_seen REAL, targets INTEGER NOT NULL,
  size INTEGER NOT NULL, removed_to INTEGER NOT NULL, checkpoint INTEGER, refused INTEGER NOT NULL,
  is_forgotten INTEGER NOT NULL
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

# An error without a code is one of Python's: a text that cannot be decoded.
_DAMAGE = {0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR}
# Errors after which the connection is used on: nothing is wrong with the file itself.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}


class SqliteFile:
    """One connection to the file of a journal; used by one thread, opened again after errors of the disk."""

    def __init__(self, path: str, shown: str, *, synchronous: str) -> None:
        """Keep where the file is; it is not opened before it is used. *shown* names it in errors."""
        self.path = Path(path).absolute()
        self._shown = shown
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

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

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def _transaction(self, begin: str, *, create: bool) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connect(create=create)
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
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
        if _code_of(error) in _DAMAGE or isinstance(error, sqlite3.IntegrityError):
            return JournalDamaged(f"the file is damaged: {error}", journal=self._shown)
        return JournalUnavailable(f"SQLite: {error}", journal=self._shown)

    # Opening --------------------------------------------------------------------------------------------------------

    def _connect(self, *, create: bool) -> sqlite3.Connection:
        """Return the connection; open it if there is none, or if another file has taken the place of ours."""
        found = self._identity_now()
        if self._connection is not None:
            if found == self._identity:
                return self._connection
            self.close()
        if found is None and not create:
            raise JournalUnavailable("there is no such file", journal=self._shown)
        if found is None and not self.path.parent.is_dir():
            raise JournalUnavailable(f"the folder {self.path.parent} does not exist", journal=self._shown)
        is_new = self._check_header()
        if is_new and not create:
            raise JournalUnavailable("the file is still empty", journal=self._shown)
        try:
            connection = self._open("mode=rwc" if create else "mode=rw", is_new=is_new)
        except sqlite3.OperationalError:
            # Reading with a write-ahead log needs a file beside the journal; where none can be made, nobody writes.
            if create or self._has_wal():
                raise
            connection = self._open("mode=ro&immutable=1", is_new=False)
        self._connection, self._identity = connection, self._identity_now()
        return connection

    def _open(self, mode: str, *, is_new: bool) -> sqlite3.Connection:
        """Return a connection that is set up; create the tables in a new file."""
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?{mode}",
            uri=True,
            timeout=LOCK_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if is_new:
                _create(connection)
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT}")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            (journal_mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if journal_mode != "wal" and "immutable" not in mode:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("SELECT max(id) FROM fleet").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _has_wal(self) -> bool:
        """Return True where a write-ahead log lies beside the file."""
        wal = Path(f"{self.path}-wal")
        return wal.exists() and wal.stat().st_size > 0

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
        """Return True for a file that is to be created; raise for one that is not a journal of this version."""
        for look in range(CREATION_LOOKS):
            try:
                return self._is_new()
            except JournalError:
                # While another process creates the file, a rollback journal lies beside it.
                is_being_created = Path(f"{self.path}-journal").exists()
                if look and not is_being_created:
                    raise
                time.sleep(CREATION_PAUSE if is_being_created else 0.0)
        return self._is_new()

    def _is_new(self) -> bool:
        """Read the header, without locks and without touching the file."""
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


def _create(connection: sqlite3.Connection) -> None:
    """Create the tables, unless another process was quicker; before the log is there, so that the header is in the file."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (count,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not count:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _code_of(error: sqlite3.Error) -> int:
    """Return the primary code of an error; 0 where SQLite gave none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
