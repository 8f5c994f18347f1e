"""The key that signs the cookies of this user's live pages; it outlives the process, so that pages outlive it, too."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from platformdirs import user_state_path

KEY_BYTES = 32
NAME = "live-page.key"


def load_key(folder: Path | None = None) -> bytes:
    """Return the key in *folder*, the user's own by default; make it if there is none.

    Where it cannot be kept, or others could read it, it is one for this process.
    """
    path = (user_state_path("bkjob", appauthor=False) if folder is None else folder) / NAME
    try:
        return read_key(path) or made_key(path)
    except OSError:
        return secrets.token_bytes(KEY_BYTES)


def read_key(path: Path) -> bytes | None:
    """Return the key in a file of the user's own; None where there is none that is whole."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        if os.name == "posix" and (status := os.fstat(file.fileno())).st_mode & 0o077 | (
            status.st_uid != os.getuid()
        ):
            raise PermissionError(path)
        key = file.read(KEY_BYTES + 1)
    return key if len(key) == KEY_BYTES else None


def made_key(path: Path) -> bytes:
    """Write a new key, whole or not at all; another process may be first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            path.hardlink_to(new)
        except FileExistsError:
            if read_key(path) is None:
                new.replace(path)
        found = read_key(path)
    finally:
        new.unlink(missing_ok=True)
    if found is None:
        raise FileNotFoundError(path)
    return found
