"""Write a report whole or not at all, and never over an existing file that was not named for that."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from tempfile import NamedTemporaryFile

from bkjob_async.errors import UsageError

STDOUT = "-"


def check_target(target: str, *, overwrite: bool) -> None:
    """Raise `UsageError` where a report cannot be written to *target*; `-` is stdout."""
    path = Path(target)
    if target == STDOUT:
        return
    if path.is_dir():
        raise UsageError(f"{target} is a folder: -o names a file")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}")
    # A link to nothing counts as well: nobody has named what would be written.
    if not overwrite and (path.is_file() or (path.is_symlink() and not path.exists())):
        raise already_there(target)


def write_report(pieces: Iterable[str], target: str, *, overwrite: bool) -> None:
    """Write *pieces* to the file *target*, or to stdout for `-`.

    Whoever reads the file meanwhile sees the old one, or the new one whole. Raise `UsageError` where it cannot be written,
    and without *overwrite* where it exists.
    """
    check_target(target, overwrite=overwrite)
    if target == STDOUT:
        write_to_stdout(pieces)
        return
    # A link stays a link: the file that it names is replaced.
    path = Path(target).resolve()
    try:
        if path.exists() and not path.is_file():  # a pipe or a device
            with path.open("w", encoding="utf-8", errors="backslashreplace") as device:
                device.writelines(pieces)
        else:
            replace(path, pieces, overwrite=overwrite)
    except FileExistsError:
        raise already_there(target) from None
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error


def replace(path: Path, pieces: Iterable[str], *, overwrite: bool) -> None:
    """Write a new file beside *path*, and give it this name when it is whole."""
    with NamedTemporaryFile(
        "w",
        encoding="utf-8",
        errors="backslashreplace",
        dir=path.parent,
        prefix=f".{path.name[:60]}.",
        delete=False,
    ) as file:
        new = Path(file.name)
        try:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            give_usual_mode(new, path)
            if overwrite:
                new.replace(path)
            else:
                take_name(new, path)
        finally:
            new.unlink(missing_ok=True)


def take_name(new: Path, path: Path) -> None:
    """Give *new* the name *path*; raise `FileExistsError` where it was taken meanwhile."""
    try:
        path.hardlink_to(new)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        new.replace(path)


def give_usual_mode(new: Path, path: Path) -> None:
    """Give *new* the permissions that *path* has, or that a new file gets."""
    mask = os.umask(0)
    os.umask(mask)
    with suppress(OSError):
        new.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)


def already_there(target: str) -> UsageError:
    """Return the error of a file that exists."""
    return UsageError(f"{target} exists: give another name, or --force to overwrite it")


def write_to_stdout(pieces: Iterable[str]) -> None:
    """Write *pieces* to stdout, as UTF-8 whatever the locale."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    for piece in pieces:
        sys.stdout.write(piece)
    sys.stdout.flush()
