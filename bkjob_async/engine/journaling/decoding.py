"""Bytes of a journal to forms, whose version is checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from bkjob_async.engine.journaling.forms import VERSION, RecordForm
from bkjob_async.errors import JournalDamaged, JournalTooNew

# Unix seconds that every calendar has, in every zone.
LAST_TIME = 1e11

_record_decoder = msgspec.msgpack.Decoder(RecordForm)
_version_decoder = msgspec.msgpack.Decoder(list[Any])


def decode_record(data: bytes) -> RecordForm:
    """Return a record from its bytes; raise `JournalTooNew` or `JournalDamaged` where it cannot be read."""
    form: RecordForm = decode_form(data, _record_decoder)
    if not 0 <= form.time < LAST_TIME:
        raise JournalDamaged("a record of the journal has no time")
    return form


def decode_form(data: bytes, decoder: msgspec.msgpack.Decoder[Any]) -> Any:
    """Return what *decoder* reads, whose first field is the version."""
    try:
        form = decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        if version_in(data) > VERSION:
            raise JournalTooNew("a newer version of this package wrote the journal") from error
        raise JournalDamaged(f"the journal has bytes that are none of its records: {error}") from error
    if form.version > VERSION:
        raise JournalTooNew(
            f"the journal has records of version {form.version}, this package reads {VERSION}"
        )
    return form


def version_in(data: bytes) -> int:
    """Return the version that an array begins with, 0 for none."""
    try:
        version = _version_decoder.decode(data)[0]
    except (msgspec.DecodeError, ValueError, IndexError, RecursionError):
        return 0
    return version if isinstance(version, int) else 0


@contextmanager
def damage_if_senseless() -> Iterator[None]:
    """Raise `JournalDamaged` where what a record says makes no sense."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, OSError) as error:
        raise JournalDamaged(f"a record of the journal makes no sense: {error}") from error
