"""Convert events to plain JSON values, and back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from msgspec import Struct

from bkjob_async.model.events import UNKNOWN_TIME, Event, HostChanged
from bkjob_async.model.refs import HostKey, JobRef, Ref, StepRef, parse_ref
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import Times
from bkjob_async.model.status import HostStatus, RunStatus, host_status, run_status, status_to_json

if TYPE_CHECKING:
    from cattrs import Converter

S = TypeVar("S", bound=Struct)

KINDS: dict[str, type[Event]] = {kind.kind: kind for kind in get_args(Event)}


def event_to_json(event: Event) -> dict[str, Any]:
    """Return *event* as plain JSON values, `kind` first.

    Refs are text as `str` writes them, statuses are `{code, name, phase}`, a host has its `label` and every
    name that the platform gave, times are ISO 8601, durations seconds. Absent names and times are left out,
    other absent values are null. A result also says whether it is `ok` and how many `hosts` ended in each
    phase.
    """
    written = event_converter().unstructure(event)
    cursor, at = written.pop("cursor"), written.pop("at")
    times = {} if event.at == UNKNOWN_TIME else {"at": at}
    return {"kind": event.kind, **written, "cursor": cursor, **times}


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Read back what `event_to_json` wrote; raise ValueError for what is no event, such as an unknown kind.

    Unknown keys are ignored.
    """
    name = data.get("kind", "")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"not an event: kind {name!r:.40}")
    try:
        return event_converter().structure(data, kind)
    except Exception as error:
        raise ValueError(f"not an event of kind {name}") from error


@cache
def event_converter() -> Converter:
    """Return the converter of all values of events, made when it is first wanted: that takes as long as many imports."""
    from cattrs import Converter  # noqa: PLC0415 - a client without a journal needs none
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override  # noqa: PLC0415

    converter = Converter()
    write, read = converter.register_unstructure_hook, converter.register_structure_hook
    write(datetime, datetime.isoformat)
    read(datetime, lambda text, _: datetime.fromisoformat(text))
    write(RunStatus, status_to_json)
    read(float, lambda value, _: _finite(value))
    read(RunStatus, lambda data, _: run_status(_whole(data["code"])))
    write(HostStatus, status_to_json)
    read(HostStatus, lambda data, _: host_status(_whole(data["code"])))
    write(JobRef, str)
    read(JobRef, lambda text, _: JobRef.parse(text))
    write(StepRef, str)
    read(StepRef, lambda text, _: StepRef.parse(text))
    read(Ref, lambda text, _: parse_ref(text))
    read(type(None), lambda _, __: None)
    read(Ref | None, lambda text, _: parse_ref(text) if text else None)
    converter.register_unstructure_hook_factory(
        is_struct, lambda kind: partial(_written, converter, _types(kind))
    )
    converter.register_structure_hook_factory(is_struct, lambda kind: partial(_read, converter, _types(kind)))
    # Absent parts of names and times are left out, so that lines stay short.
    change = partial(_written, converter, _types(HostChanged))
    write(HostChanged, lambda event: _without_absent_times(change(event)))
    write(HostKey, lambda host: {"label": host.label, **_present(host)})
    write(Times, lambda times: converter.unstructure(_present(times)))
    step = make_dict_structure_fn(StepResult, converter)
    read(StepResult, lambda data, kind: step(_with_unfinished(data), kind))
    seconds = override(omit_if_default=True)
    write(StepResult, make_dict_unstructure_fn(StepResult, converter, execution_seconds=seconds))
    result = make_dict_unstructure_fn(JobResult, converter)
    write(JobResult, lambda ended: {"ok": ended.ok, **result(ended), "hosts": _counts(ended)})
    return converter


def is_struct(kind: Any) -> bool:
    """Return True for the classes of events, hosts and their parts."""
    return isinstance(kind, type) and issubclass(kind, Struct)


def _types(kind: type[Struct]) -> Mapping[str, Any]:
    """Return the type of each field."""
    types = get_type_hints(kind)
    return {name: types[name] for name in kind.__struct_fields__}


def _written(converter: Converter, types: Mapping[str, Any], value: Struct) -> dict[str, Any]:
    return {name: converter.unstructure(getattr(value, name), each) for name, each in types.items()}


def _read(converter: Converter, types: Mapping[str, Any], data: Mapping[str, Any], kind: type[S]) -> S:
    return kind(
        **{name: converter.structure(data[name], each) for name, each in types.items() if name in data}
    )


def _present(value: Struct) -> dict[str, Any]:
    """Return the fields of a host's names or times that are not None."""
    return {name: each for name in value.__struct_fields__ if (each := getattr(value, name)) is not None}


def _without_absent_times(change: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the change of a host without the times that are None."""
    for name in ("start_time", "end_time"):
        if change[name] is None:
            del change[name]
    return change


def _with_unfinished(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a step result as it is written now; `failed` used to have its unfinished hosts as well."""
    if "unfinished" in step:
        return step
    failed, unfinished = list[Any](), list[Any]()
    for host in step["failed"]:
        (failed if host_status(host["status"]["code"]).is_finished else unfinished).append(host)
    return {**step, "failed": failed, "unfinished": unfinished}


def _whole(value: Any) -> int:
    """Return the code of a status; other values would fail later, where nobody expects it."""
    if type(value) is not int:
        raise ValueError(f"not the code of a status: {value!r:.40}")
    return value


def _finite(value: Any) -> float:
    """Return a number of seconds; JSON has no infinity, and a duration cannot be one."""
    number = float(value)
    if not isfinite(number):
        raise ValueError("not a number of seconds")
    return number


def _counts(result: JobResult) -> dict[str, int]:
    return {phase.value: count for phase, count in sorted(result.hosts.items())}
