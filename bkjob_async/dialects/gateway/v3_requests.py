"""Parameters of requests and operations in the v3 interfaces; version 4 changes a few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bkjob_async.dialects.common.fields import field_values
from bkjob_async.dialects.common.hosts import host_list_parameters, host_parameters
from bkjob_async.dialects.common.ref_checks import BIZ_SETS
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.queries import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceIpLog,
    GetJobInstanceList,
)
from bkjob_async.model.refs import HostKey, Scope, ScopeType

# The platform's own bounds on one request for logs.
LOG_HOSTS_V3 = 500
LOG_HOSTS_V4 = 50

# And on one page of a list.
LIST_LENGTH_V3 = 1000
LIST_LENGTH_V4 = 200


def scope_parameters(scope: Scope) -> dict[str, Any]:
    """Return a scope's parameters; its id travels as text."""
    return {"bk_scope_type": str(scope.type), "bk_scope_id": str(scope.id)}


def scope_parameters_esb(scope: Scope) -> dict[str, Any]:
    """Return a scope's parameters for the ESB: its older sites know a business by `bk_biz_id` only.

    Some numbers are those of business sets there; any other number would be taken for a business.
    """
    named = scope_parameters(scope)
    is_known = scope.type is ScopeType.BIZ or (scope.type is ScopeType.BIZ_SET and scope.id in BIZ_SETS)
    return {"bk_biz_id": scope.id, **named} if is_known else named


def host_log_parameters(operation: GetJobInstanceIpLog) -> dict[str, Any]:
    """Return what `get_job_instance_ip_log` takes: a host by id, else by address."""
    return host_parameters(operation.host)


def host_logs_parameters(operation: BatchGetJobInstanceIpLog) -> dict[str, Any]:
    """Return what `batch_get_job_instance_ip_log` takes."""
    check_host_count(operation.hosts, LOG_HOSTS_V3)
    return host_list_parameters(operation.hosts)


def host_logs_v4_parameters(operation: BatchGetJobInstanceIpLog) -> dict[str, Any]:
    """Return what `batch_get_job_instance_execute_object_log` takes, containers included."""
    check_host_count(operation.hosts, LOG_HOSTS_V4)
    ids = [host.container_id for host in operation.hosts]
    if not any(number is not None for number in ids):
        return host_list_parameters(operation.hosts)
    if None in ids:
        raise UsageError("ask for the logs of hosts and of containers separately")
    return {"container_id_list": ids}


def check_host_count(hosts: Sequence[HostKey], most: int) -> None:
    """Raise `UsageError` for no host, and for more than the platform takes at once."""
    if not 1 <= len(hosts) <= most:
        raise UsageError(
            f"ask for the logs of 1 to {most} hosts at once, not {len(hosts)}; see split_log_request"
        )


def job_list_parameters(operation: GetJobInstanceList) -> dict[str, Any]:
    """Return what `get_job_instance_list` takes."""
    check_page_length(operation.length, LIST_LENGTH_V3)
    return field_values(operation, name="job_name")


def job_list_v4_parameters(operation: GetJobInstanceList) -> dict[str, Any]:
    """Return what `get_job_instance_list` takes in version 4."""
    check_page_length(operation.length, LIST_LENGTH_V4)
    return field_values(operation, name="job_name", offset="start")


def check_page_length(length: int, most: int) -> None:
    """Raise `UsageError` for a page that is longer than the platform gives."""
    if length > most:
        raise UsageError(f"a page of the list has {most} job instances at most, not {length}")
