"""Put credentials into requests: into one header or the body, never a URL."""

import json

import msgspec
from attrs import asdict
from msgspec.structs import replace

from bkjob_async.errors import UsageError
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.credentials import AccessToken, Credentials

AUTHORIZATION = "X-Bkapi-Authorization"


def credential_fields(credentials: Credentials) -> dict[str, str]:
    """Return credentials under the platform's names, without what is absent."""
    return asdict(credentials, filter=lambda _, value: value is not None)


def sign_header(request: HttpRequest, credentials: Credentials) -> HttpRequest:
    """Return *request* with *credentials* in the gateway's header: one JSON object, ASCII only."""
    return replace(
        request, headers={**request.headers, AUTHORIZATION: json.dumps(credential_fields(credentials))}
    )


def sign_body(request: HttpRequest, credentials: Credentials) -> HttpRequest:
    """Return *request* with *credentials* in the body of a POST; raise `UsageError` for an access token."""
    if isinstance(credentials, AccessToken):
        raise UsageError("an access token travels in the header only: use credentials_in='header'")
    body = {**msgspec.json.decode(request.body or b"{}"), **credential_fields(credentials)}
    return replace(request, body=msgspec.json.encode(body))
