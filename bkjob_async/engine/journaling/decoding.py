"""Bytes of a journal to forms, whose version is checked."""

from __future__ import annotations

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
        if is_newer(data):
            raise JournalTooNew("a newer version of this package wrote the journal") from error
        raise JournalDamaged(f"the journal has bytes that are none of its records: {error}") from error
    if form.version > VERSION:
        raise JournalTooNew(
            f"the journal has records of version {form.version}, this package reads {VERSION}"
        )
    return form


def is_newer(data: bytes) -> bool:
    """Return True for an array that begins with a version newer than ours."""
    try:
        version = _version_decoder.decode(data)[0]
    except (msgspec.DecodeError, ValueError, IndexError, RecursionError):
        return False
    return isinstance(version, int) and version > VERSION
