"""The platform's error responses: their codes, messages and data."""

from __future__ import annotations

from typing import Any

from bkjob_async.model.refs import Scope

PERMISSION_DENIED = 9900403

# The platform's English messages.
MESSAGES: dict[int, str] = {
    1240002: "Internal Server Error",
    1240003: "Bad Request",
    1241002: "Illegal parameter: operation_code",
    1241012: "Illegal parameter",
    1241003: "Unsupported operation",
    1241015: "The job has been started, do not start it again",
    1241005: "Illegal parameter",
    1241010: "Illegal parameter",
    1243001: "Script does not exist",
    1243009: "Job plan does not exist",
    1243051: "Resource scope does not exist",
    1244001: "Execute object is empty",
    1244006: "Task instance does not exist",
    1244007: "Task step instance does not exist",
    1244012: "Job plan does not exist",
    1244016: "You are not allowed to confirm this step",
    1244020: "The range of the query is too large",
    1244022: "The number of execute objects exceeds the limit",
    1244026: "Illegal rolling expression",
    1245001: "Cron job does not exist",
    1264001: "Only steps that run scripts or send files have a context",
    1264004: "The execute object of the task does not exist",
    1247403: "User has no access to the resource scope",
    9900403: "User permission not allowed, please apply for it in IAM and try again",
}


class ApiError(Exception):
    """An error of the platform: *code*, message, HTTP status, and which part of it responds."""

    def __init__(
        self, code: int, message: str, *, status: int = 200, by: str = "job", details: Any = None
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.by = by
        self.details = details


def api_error(code: int, reason: str | None = None) -> ApiError:
    """Return an error of Job itself; some name a *reason*."""
    message = MESSAGES.get(code, f"Error {code}")
    return ApiError(code, message if reason is None else f"{message}, {reason}")


def missing_parameter(name: str) -> ApiError:
    """Return the error for a missing or invalid parameter, by name."""
    return ApiError(1241007, f"Missing or invalid request parameter [{name}]")


def rule_violation(reason: str) -> ApiError:
    """Return the error for a request that breaks a rule of the server, with its message."""
    return ApiError(1240003, f"Bad Request: {reason}")


def wrong_type(name: str) -> ApiError:
    """Return the error for a parameter of the wrong type."""
    return ApiError(1240003, f"Bad Request: parameter [{name}] has the wrong type")


def no_such_path(path: str) -> ApiError:
    """Return the error for an unknown path; the ESB's has no code."""
    if "/api/c/" in path:
        return ApiError(0, "Not found, the component class was not found", status=404, by="esb-path")
    return ApiError(1640401, f'API not found [path="{path}"]', status=404, by="gateway")


def permission_denied(scope: Scope) -> ApiError:
    """Return the error for a user who may not see what ran in *scope*, with the missing permission."""
    kind = {"system_id": "bk_cmdb", "system_name": "CMDB", "type": str(scope.type), "type_name": "Business"}
    instance = {
        "id": str(scope.id),
        "type": str(scope.type),
        "type_name": "Business",
        "name": f"business {scope.id}",
    }
    action = {
        "id": "view_history",
        "name": "View history",
        "related_resource_types": [{**kind, "instances": [[instance]]}],
    }
    permission = {"system_id": "bk_job", "system_name": "Job", "actions": [action]}
    return ApiError(PERMISSION_DENIED, MESSAGES[PERMISSION_DENIED], details=permission)
