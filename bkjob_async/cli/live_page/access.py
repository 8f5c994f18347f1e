"""Access to the page: the right Host, a token that works once, then a signed cookie, and the key that signs it."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from attrs import define, field
from platformdirs import user_state_path

# A cookie is good for so many seconds.
COOKIE_SECONDS = 7 * 86_400
KEY_BYTES = 32
KEY_NAME = "live-page.key"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@define
class Access:
    """Decides about requests to one server.

    *hosts* are the values of the header `Host` that are served, with the port where it is not 80; *any_address*: also
    every address in figures, which no name of a foreign domain can be. *key* signs cookies.
    """

    port: int
    hosts: frozenset[str]
    key: bytes = field(repr=False)
    token: str | None = field(repr=False)
    any_address: bool = False

    @property
    def cookie_name(self) -> str:
        """The name of the cookie; cookies of one host are shared by all its ports."""
        return f"bkjob_live_{self.port}"

    def serves(self, hosts: Sequence[str]) -> bool:
        """Return True if a request with these `Host` headers is meant for this server.

        A foreign page can make a browser ask this server under a name of its own; it cannot change the name.
        """
        if len(hosts) != 1:
            return False
        host = hosts[0].casefold()
        return host in self.hosts or (self.any_address and is_address(host, self.port))

    def take_token(self, given: str) -> bool:
        """Return True for the right token; it is spent then."""
        if self.token is None or not is_equal(given, self.token):
            return False
        self.token = None
        return True

    def new_cookie(self, now: float) -> str:
        """Return the value of a new cookie; *now* is in Unix seconds."""
        expires = str(int(now) + COOKIE_SECONDS)
        return f"{expires}.{self._signature(expires)}"

    def knows(self, cookie: str | None, now: float) -> bool:
        """Return True for a cookie that this server, or an earlier one on the same port, gave and that is not too old."""
        expires, _, signature = (cookie or "").partition(".")
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
            return False
        return (
            is_equal(signature, self._signature(expires)) and now < int(expires) <= now + COOKIE_SECONDS + 1
        )

    def _signature(self, expires: str) -> str:
        return hmac.new(self.key, f"{self.port}.{expires}".encode(), sha256).hexdigest()


def is_equal(given: str, right: str) -> bool:
    """Return True for the right text, in a time that tells nothing of it; *given* may hold what is no text at all."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


def hosts_of(names: Sequence[str], port: int) -> frozenset[str]:
    """Return the values of `Host` under which a server with these names is asked on a port."""
    found = {f"{name}:{port}".casefold() for name in names}
    return frozenset(found | {name.casefold() for name in names} if port == 80 else found)


def names_of(host: str, own_name: str) -> tuple[Sequence[str], bool]:
    """Return the names under which a server is asked that listens on *host*, and whether under any address as well.

    *own_name* is that of the machine; it is asked under that if it listens everywhere.
    """
    bare = host.strip("[]")
    try:
        address = ip_address(bare)
    except ValueError:
        return (*LOOPBACK, host), False
    shown = f"[{bare}]" if address.version == 6 else bare
    if address.is_unspecified:
        return (*LOOPBACK, own_name), True
    return (*LOOPBACK, shown) if address.is_loopback else (shown,), False


def is_address(host: str, port: int) -> bool:
    """Return True for an address in figures with this port."""
    name, _, given = host.rpartition(":")
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return given == str(port)


def load_key(folder: Path | None = None) -> bytes:
    """Return the key in *folder*, the user's own by default, which outlives the process; make it if there is none.

    Where it cannot be kept, or others could read it, it is one for this process.
    """
    path = (user_state_path("bkjob", appauthor=False) if folder is None else folder) / KEY_NAME
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
