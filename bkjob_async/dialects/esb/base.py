"""What both components of the ESB share: its paths, and credentials in header or body."""

from typing import Literal

from attrs import field, frozen, validators

from bkjob_async.dialects.common.auth import sign_body, sign_header
from bkjob_async.dialects.common.base import Call, TableDialect
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.credentials import Credentials


@frozen(kw_only=True)
class EsbDialect(TableDialect):
    """A component of the ESB.

    *credentials_in*: `header`, or `body` for an ESB that knows no header; every read is then a POST, so that no
    secret stands in a URL.
    """

    trailing: str = "/"
    credentials_in: Literal["header", "body"] = field(
        default="header", validator=validators.in_(("header", "body"))
    )

    def method_of(self, call: Call) -> str:
        """Return the HTTP method that a call travels by; the ESB takes both for everything."""
        return "POST" if self.credentials_in == "body" else call.method

    def sign(self, request: HttpRequest, credentials: Credentials) -> HttpRequest:
        """Put *credentials* into the header, or into the body beside the parameters."""
        if self.credentials_in == "body":
            return sign_body(request, credentials)
        return sign_header(request, credentials)
