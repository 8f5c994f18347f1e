"""What both versions of the API gateway share: user resources and their `/system/` twins."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from bkjob_async.dialects.common.base import TableDialect
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.operations.base import Operation


@frozen(kw_only=True)
class GatewayDialect(TableDialect):
    """The API gateway.

    With *system* the `/system/` twins are called, which act for *acting_user* (`X-Bk-Username`) or for the user of
    the credentials; the gateway grants them to applications one by one.
    """

    system: bool = False
    acting_user: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse an acting user where nobody would heed it."""
        if self.acting_user is not None and not self.system:
            raise UsageError("an acting user is named only with system=True")

    def encode(self, operation: Operation[Any]) -> HttpRequest:
        """Put *operation* into a relative, unsigned request; raise `NotSupported`, for the wrong kind of path too."""
        only = self.call_for(operation).only
        if only is not None and (only == "system") is not self.system:
            here = "only with system=True" if only == "system" else "not with system=True"
            raise NotSupported(f"{self.name} has {operation.name} {here}")
        return super().encode(operation)

    def path_of(self, name: str) -> str:
        """Return the path of an operation, its twin's with *system*."""
        return super().path_of(f"system/{name}" if self.system else name)

    def further_headers(self) -> Mapping[str, str | None]:
        """Name the acting user."""
        return {"X-Bk-Username": self.acting_user}
