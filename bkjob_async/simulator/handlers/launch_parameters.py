"""Parse the parameters of launches other than targets: scripts, files, rolling, timeouts, callbacks."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.handlers.targets import V2, V3, hosts_in
from bkjob_async.simulator.protocol.api_errors import api_error, bad_request, missing_parameter, violation
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.catalog import SimulatedScriptVersion
from bkjob_async.simulator.world.codes import SQL
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import (
    LOCAL_FILE,
    SERVER_FILE,
    Rolling,
    SourceInputs,
    StepInputs,
    rolling_sizes,
)

MAX_TIMEOUT, DEFAULT_TIMEOUT = 259_200, 7200
MAX_WAIT_MS = 3_600_000
OVER_SOURCES = 2
SHELL = 1
WAITS = {"Fixed": "fixed", "RandomMin": "random_min", "RandomMax": "random_max"}


def script_of(
    context: RequestContext, request: ParsedRequest, kind: int
) -> tuple[str, int, SimulatedScriptVersion | None]:
    """Return a script's text, its language and its version; raise `ApiError` for none or no base64."""
    version = known_version(context, request)
    if version is not None:
        return version.content, version.language, version
    base64_text = request.text("script_content")
    if not base64_text:
        raise missing_parameter("script_content")
    language = request.integer("script_language" if request.dialect != "esb-job" else "script_type")
    if language is not None and language not in range(1, 6):
        raise missing_parameter("script_language")
    return (
        from_base64(base64_text, "script_content"),
        SHELL if language is None or kind == SQL else language,
        None,
    )


def known_version(context: RequestContext, request: ParsedRequest) -> SimulatedScriptVersion | None:
    """Return the script version that a launch names, by its own id or as its script's online one."""
    catalog = context.site.catalog
    number, script = request.integer("script_version_id"), request.text("script_id")
    if number:
        found = catalog.version(number)
    elif script:
        # Version 2 has only one id for scripts: that of a version.
        by_number = request.dialect == "esb-job" and script.isdecimal()
        found = catalog.version(int(script)) if by_number else catalog.online_version(script)
    else:
        return None
    if found is None:
        raise api_error(1243001)
    return found


def from_base64(base64_text: str, name: str) -> str:
    """Return the text of a base64 parameter; raise `ApiError` for anything else."""
    try:
        return base64.b64decode(base64_text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise missing_parameter(name) from None


def inputs_of(request: ParsedRequest, **more: Any) -> StepInputs:
    """Return the inputs of a launched step; *more* are those of its kind of step."""
    account = request.text("account_alias") or request.text("account") or "root"
    parameters = request.text("script_param")
    return StepInputs(
        account_id=request.integer("account_id"),
        account=account,
        parameters=from_base64(parameters, "script_param") if parameters else "",
        is_param_sensitive=request.flag("param_sensitive") or request.flag("is_param_sensitive"),
        timeout=timeout_of(request),
        **more,
    )


def timeout_of(request: ParsedRequest) -> int:
    """Return the timeout of a step in seconds; raise `ApiError` for one out of bounds."""
    given = request.integer("script_timeout" if request.dialect == "esb-job" else "timeout")
    if given is None:
        return DEFAULT_TIMEOUT
    if not 1 <= given <= MAX_TIMEOUT:
        raise violation("InvalidJobTimeout_outOfRange", min=1, max=MAX_TIMEOUT)
    return given


def callback_of(context: RequestContext, request: ParsedRequest) -> str | None:
    """Return the callback URL; raise `ApiError` for one that the site does not allow."""
    url = request.text("bk_callback_url" if request.dialect == "esb-job" else "callback_url")
    wrapped = request.parameters.get("callback")
    if request.operation == "bkci_plugin_fast_execute_script":
        url = str(wrapped["url"]) if isinstance(wrapped, dict) and wrapped.get("url") else None
    if not url:
        return None
    allowed = context.site.allowed_callbacks
    if not url.startswith(("http://", "https://")) or (
        allowed is not None and not any(url.startswith(base) for base in allowed)
    ):
        raise violation("ValidCallbackUrl")
    return url


def file_inputs(request: ParsedRequest) -> tuple[str, StepInputs]:
    """Return the names of the files, joined by commas, and the other inputs; raise `ApiError` without files."""
    given = request.parameters.get("file_source_list", request.parameters.get("file_source"))
    given = request.parameters.get("file_list") if given is None else given
    if not isinstance(given, list) or not given:
        raise missing_parameter("file_source_list")
    path = request.text("file_target_path")
    if not path:
        raise missing_parameter("file_target_path")
    sources = tuple(source_of(entry) for entry in given)
    inputs = inputs_of(
        request,
        sources=sources,
        target_path=path,
        target_name=request.text("file_target_name"),
        upload_speed_limit=request.integer("upload_speed_limit"),
        download_speed_limit=request.integer("download_speed_limit"),
        transfer_mode=request.integer("transfer_mode") or 2,
    )
    return ",".join(name for source in sources for name in source.files), inputs


def source_of(entry: Any) -> SourceInputs:
    """Return one source of files: hosts, uploaded files, a file source, or a pushed text."""
    if not isinstance(entry, dict):
        raise missing_parameter("file_source_list")
    kind = entry.get("file_type", SERVER_FILE)
    if kind not in (1, 2, 3):
        raise bad_request()
    names = entry.get("file_list", entry.get("files"))
    if names is None and "file_name" in entry:
        from_base64(str(entry.get("content") or ""), "content")
        return SourceInputs(files=(str(entry["file_name"]),), kind=LOCAL_FILE)
    if not isinstance(names, list) or not names:
        raise missing_parameter("file_list")
    account = entry.get("account")
    name = account.get("alias") if isinstance(account, dict) else account
    return SourceInputs(
        files=tuple(map(str, names)),
        kind=kind,
        account=str(name or "root"),
        hosts=source_hosts(entry) if kind == SERVER_FILE else (),
        file_source_id=entry.get("file_source_id"),
    )


def source_hosts(entry: dict[str, Any]) -> tuple[tuple[int, int, str | None], ...]:
    """Return the hosts that a source names: in its `server`; in version 2 in `target_server` or beside its files."""
    found: dict[Host, None] = {}
    if isinstance(entry.get("server"), dict):
        found.update(dict.fromkeys(hosts_in(entry["server"], V3)))
    beside = {"ip_list": entry.get("ip_list"), V2.groups: entry.get("custom_query_id")}
    for server in (entry.get("target_server"), beside):
        if isinstance(server, dict):
            found.update(dict.fromkeys(hosts_in(server, V2)))
    return tuple((host.bk_host_id, host.bk_cloud_id, host.ip) for host in found)


def sources_in(inputs: StepInputs) -> int:
    """Return how many hosts files come from, one at least: a file source counts as one."""
    return max(1, sum(len(source.hosts) or 1 for source in inputs.sources))


def rolling_of(request: ParsedRequest, total: int, *, sources: int = 1) -> Rolling | None:
    """Return the batches of a launch; raise `ApiError` for a wrong expression, or parallel batches without waits."""
    config = request.parameters.get("rolling_config")
    if not isinstance(config, dict):
        return None
    kind, parallel = int(config.get("type") or 1), config.get("execution_mode") == 2
    sizes = (
        source_batches(config, total, sources) if kind == OVER_SOURCES else expression_batches(config, total)
    )
    return Rolling(
        sizes=sizes,
        mode=int(config.get("mode") or 1),
        kind=kind,
        parallel=parallel,
        stagger=stagger_of(config) if parallel else 0.0,
    )


def expression_batches(config: dict[str, Any], total: int) -> tuple[int, ...]:
    """Return the sizes of the batches into which an expression divides the targets."""
    try:
        return rolling_sizes(str(config.get("expression") or ""), total)
    except ValueError:
        raise api_error(1244026) from None


def source_batches(config: dict[str, Any], total: int, sources: int) -> tuple[int, ...]:
    """Return batches of file sources: each has so many sources, and runs on every target."""
    limits = config.get("file_source")
    if not isinstance(limits, dict):
        raise violation("RollingFileSource_NotNull")
    most = limits.get("max_execute_object_num_in_batch") or sources
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise bad_request()
    return (total,) * -(-sources // most)


def stagger_of(config: dict[str, Any]) -> float:
    """Return the mean seconds between the starts of parallel batches; all three waits are required."""
    fixed, low, high = (wait_of(config, name) for name in ("Fixed", "RandomMin", "RandomMax"))
    if high < low:
        raise violation("RollingBatchStartWaitRandomMaxLessThanMin")
    return (fixed + (low + high) / 2) / 1000


def wait_of(config: dict[str, Any], name: str) -> int:
    """Return one wait in milliseconds, 0 to an hour; *name* is that of its constraint."""
    value = config.get(f"batch_start_wait_{WAITS[name]}_ms")
    if value is None:
        raise violation(f"RollingBatchStartWait{name}Ms_NotNull")
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request()
    if not 0 <= value <= MAX_WAIT_MS:
        raise violation("RollingBatchStartWaitMs_Range")
    return value


def require_no_local_files(request: ParsedRequest) -> None:
    """Raise `ApiError` for uploaded files: the plug-in does not send those."""
    sources = request.parameters.get("file_source_list")
    for entry in sources if isinstance(sources, list) else ():
        if isinstance(entry, dict) and entry.get("file_type") == LOCAL_FILE:
            raise api_error(
                1241010, "file_source.file_type", "bk-ci plugin does not support local file source"
            )
