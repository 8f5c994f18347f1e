"""What the platform says to who may not: the permission to apply for."""

from __future__ import annotations

from typing import Any

from bkjob_async.model.refs import Scope

PERMISSION_DENIED = 9900403


def permission(scope: Scope) -> dict[str, Any]:
    """Return the missing permission to see what ran in *scope*."""
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
    return {"system_id": "bk_job", "system_name": "Job", "actions": [action]}
