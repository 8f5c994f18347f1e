"""Open a client as the settings say."""

from __future__ import annotations

from bkjob_async import JobClient, connect
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.terminal import ask_secret, can_ask, interruptible
from bkjob_async.configuration.connecting import connect_options, renewing
from bkjob_async.configuration.secret_lookup import SecretLookup
from bkjob_async.configuration.settings import Settings


def client_of(settings: Settings, *, interval: float | None = None) -> JobClient:
    """Return a client, not yet open; raise `UsageError` for what is missing.

    Secrets are looked up now. What a program gave is asked of it again when the platform rejects it.
    """
    options = {name: value for name, value in connect_options(settings).items() if value is not None}
    lookup = SecretLookup(ask_secret if can_ask() else None, say=note, around=interruptible)
    credentials = renewing(lookup.credentials(settings), settings)
    return connect(credentials=credentials, interval=interval, name="bkjob", **options)


def note(text: str) -> None:
    """Write a note about the lookup of a secret to stderr."""
    write_note(f"bkjob: {text}")
