"""Convert values that a user receives to plain JSON values, and back without loss."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin, get_type_hints, overload

import attrs
import msgspec
from msgspec import Struct

from bkjob_async.model.base_error import BkJobError, WrongType, WrongValue
from bkjob_async.model.credentials import AccessToken, AppCredentials
from bkjob_async.model.events import UNKNOWN_TIME, Event, HostChanged, StreamEvent
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, StepRef, parse_ref
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot, Times
from bkjob_async.model.status import HostStatus, RunStatus, host_status, run_status, status_to_json

if TYPE_CHECKING:
    from cattrs import Converter

S = TypeVar("S", bound=Struct)
T = TypeVar("T")

KINDS: dict[str, type[Event]] = {kind.kind: kind for kind in get_args(Event)}


def to_json(value: object) -> dict[str, Any]:
    """Return *value* as plain JSON values, which `from_json` reads back.

    *value* is what a call, a watch or an error gave: an event, a batch, a result, a snapshot, logs, an item of a list,
    `ErrorDetails`, a failed call. Keys are the names of its fields. Refs and scopes are text as `str` writes them, statuses
    `{code, name, phase}`, a host has its `label` and every name that the platform gave, times are ISO 8601, durations
    seconds, enumerations their values, bytes base64. Absent names and times of hosts, jobs and steps are left out, other
    absent values are null. A job's result also says whether it is `ok` and how many `hosts` ended in each phase; an event
    begins with its `kind`. The response that a snapshot keeps for `raw` is left out.

    These keys are stable: later versions add some, and change none before 1.0 without a line in the changelog. All that
    the value holds is written, values of variables and logs too. Raises `UsageError` for credentials, and for what is no
    such value; of a ref or a scope, take `str`.
    """
    if type(value).__module__.startswith("bkjob_async.") and _is_value(type(value)):
        written = converter().unstructure(value)
        if isinstance(written, dict):
            return written
    raise WrongType(f"to_json takes a result, a snapshot, an event or the like, not {type(value).__name__}")


@overload
def from_json(data: Mapping[str, Any] | str | bytes, kind: type[T]) -> T: ...


@overload
def from_json(data: Mapping[str, Any] | str | bytes, kind: Any) -> Any: ...


def from_json(data: Mapping[str, Any] | str | bytes, kind: Any) -> Any:
    """Read back what `to_json` wrote of a value of this *kind*: a class, `Event`, or `Page[JobInstance]`.

    *data* is plain values, or JSON text. Unknown keys are ignored. Raises `WrongValue`, which is a `UsageError` and a
    ValueError, where a key is missing that the class has no default for, or what it has cannot be read.

    >>> seen = await client.get_job_instance_status(job)
    >>> bkjob.from_json(json.dumps(bkjob.to_json(seen)), bkjob.JobSnapshot) == seen
    True
    """
    name = getattr(kind, "__name__", "Event" if kind == Event else str(kind))
    try:
        plain = _decoded(data) if isinstance(data, str | bytes) else data
        if not isinstance(plain, Mapping):
            raise TypeError(f"not an object: {type(plain).__name__}")  # noqa: TRY301 - one error for all
        return converter().structure(plain, kind)
    except Exception as error:
        raise WrongValue(f"not the JSON of a {name}: {_why(error)}") from error


def event_to_json(event: Event) -> dict[str, Any]:
    """Return *event* as plain JSON values, `kind` first: what `to_json` returns of it."""
    return cast("dict[str, Any]", converter().unstructure(event))


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Read back what `to_json` wrote of an event; raise `WrongValue` for what is none, such as an unknown kind.

    Unknown keys are ignored.
    """
    name = data.get("kind", "")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise WrongValue(f"not an event: kind {name!r:.40}")
    try:
        return converter().structure(data, kind)
    except Exception as error:
        raise WrongValue(f"not an event of kind {name}") from error


def _decoded(data: str | bytes) -> Any:
    """Return what JSON text says; the module `json` also reads half of a surrogate pair, which `json.dumps` writes."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return json.loads(data)


def _why(error: Exception) -> str:
    """Return the first cause of an error, without the values that it may quote."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, KeyError):
        return f"{error.args[0]!r:.40} is missing"
    return f"{error}" if isinstance(error, TypeError) else type(error).__name__


@cache
def converter() -> Converter:
    """Return the converter of all values, made when it is first wanted: that takes as long as many imports."""
    from cattrs import Converter  # noqa: PLC0415 - a client that writes no JSON need not wait for it

    made = Converter(unstruct_collection_overrides={Sequence: list, tuple: list})
    _register_atoms(made)
    _register_structs(made)
    _register_results(made)
    return made


def _register_atoms(made: Converter) -> None:
    """Register what becomes one text or one number, and what is never written."""
    write, read = made.register_unstructure_hook, made.register_structure_hook
    write(datetime, datetime.isoformat)
    read(datetime, lambda text, _: datetime.fromisoformat(text))
    write(bytes, lambda body: b64encode(body).decode())
    read(bytes, lambda text, _: b64decode(text))
    read(float, lambda value, _: _finite(value))
    read(int, lambda value, _: _integer(value))
    read(bool, lambda value, _: _flag(value))  # else it would be read as the int that it is, too
    for status, known in ((RunStatus, run_status), (HostStatus, host_status)):
        write(status, status_to_json)
        read(status, partial(_status, known))
    for named in (Scope, JobRef, StepRef):
        write(named, str)
        read(named, lambda text, kind: kind.parse(text))
    read(Ref, lambda text, _: parse_ref(text))
    read(type(None), lambda _, __: None)
    read(Ref | None, lambda text, _: parse_ref(text) if text else None)
    read(int | str | None, lambda value, _: _plain(value))
    # The keys of an object are text; a mapping of hosts becomes a list of pairs.
    made.register_unstructure_hook_factory(
        lambda kind: _key_of(kind) is int, lambda _: partial(_with_text_keys, made)
    )
    made.register_unstructure_hook_factory(
        lambda kind: is_struct(_key_of(kind)), lambda _: partial(_in_pairs, made)
    )
    made.register_structure_hook_factory(
        lambda kind: is_struct(_key_of(kind)), lambda _: partial(_from_pairs, made)
    )
    made.register_unstructure_hook_factory(_is_call_error, lambda _: partial(_error_written, made))
    made.register_structure_hook_factory(_is_call_error, lambda _: partial(_error_read, made))
    for secret in (AppCredentials, AccessToken):
        write(secret, _refuse)


def _register_structs(made: Converter) -> None:
    """Register events, hosts and their parts."""
    write, read = made.register_unstructure_hook, made.register_structure_hook
    made.register_unstructure_hook_factory(is_struct, lambda kind: partial(_written, made, _types(kind)))
    made.register_structure_hook_factory(is_struct, lambda kind: partial(_read, made, _types(kind)))
    for kind in KINDS.values():
        write(kind, partial(_event_written, partial(_written, made, _types(kind))))
    write(Event, made.unstructure)
    read(Event, lambda data, _: event_from_json(data))
    # Absent parts of names and times are left out, so that lines stay short.
    write(HostKey, lambda host: {"label": host.label, **_present(host)})
    write(Times, lambda times: made.unstructure(_present(times)))


def _register_results(made: Converter) -> None:
    """Register results and snapshots, which are written with more or less than their fields."""
    from cattrs.gen import (  # noqa: PLC0415 - as above
        make_dict_structure_fn,
        make_dict_unstructure_fn,
        override,
    )

    write, read = made.register_unstructure_hook, made.register_structure_hook
    step = make_dict_structure_fn(StepResult, made)
    read(StepResult, lambda data, kind: step(_with_unfinished(data), kind))
    seconds = override(omit_if_default=True)
    write(StepResult, make_dict_unstructure_fn(StepResult, made, execution_seconds=seconds))
    result = make_dict_unstructure_fn(JobResult, made)
    write(JobResult, lambda ended: {"ok": ended.ok, **result(ended), "hosts": _counts(ended)})
    for snapshot in (StepSnapshot, JobSnapshot):
        attrs.resolve_types(snapshot)
        write(snapshot, make_dict_unstructure_fn(snapshot, made, response=override(omit=True)))
        read(snapshot, make_dict_structure_fn(snapshot, made, response=override(omit=True)))


def _is_value(kind: type[Any]) -> bool:
    """Return True for the classes of values, and of errors with details; a class with private fields is none."""
    if attrs.has(kind):
        return not any(field.name.startswith("_") for field in attrs.fields(kind))
    return is_struct(kind) or _is_call_error(kind)


def is_struct(kind: Any) -> bool:
    """Return True for the classes of events, hosts and their parts."""
    return isinstance(kind, type) and issubclass(kind, Struct)


def _is_call_error(kind: Any) -> bool:
    """Return True for the errors that have the details of a call."""
    return isinstance(kind, type) and issubclass(kind, BkJobError) and "details" in _parameters(kind)


def _parameters(error: type[BkJobError]) -> Mapping[str, Any]:
    """Return the types of what an error is made of."""
    return get_type_hints(error.__init__)


def _error_written(made: Converter, error: Any) -> dict[str, Any]:
    return {"error": type(error).__name__, "details": made.unstructure(error.details)}


def _error_read(made: Converter, data: Mapping[str, Any], kind: type[BkJobError]) -> BkJobError:
    """Return an error of the class that was written, where it is a *kind* of it."""
    kinds = {each.__name__: each for each in _with_subclasses(kind)}
    found = kinds[data["error"]]
    return found(made.structure(data["details"], _parameters(found)["details"]))


def _with_subclasses(kind: type[BkJobError]) -> Iterator[type[BkJobError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _with_subclasses(each)


def _key_of(kind: Any) -> Any:
    """Return the type of a mapping's keys, None for what is no mapping."""
    origin = get_origin(kind)
    return get_args(kind)[0] if isinstance(origin, type) and issubclass(origin, Mapping) else None


def _with_text_keys(made: Converter, value: Mapping[int, Any]) -> dict[str, Any]:
    return {str(key): made.unstructure(each) for key, each in value.items()}


def _in_pairs(made: Converter, value: Mapping[Any, Any]) -> list[list[Any]]:
    return [[made.unstructure(key), made.unstructure(each)] for key, each in value.items()]


def _from_pairs(made: Converter, pairs: Any, kind: Any) -> dict[Any, Any]:
    key, value = get_args(kind)
    return {made.structure(one, key): made.structure(other, value) for one, other in pairs}


def _refuse(value: object) -> None:
    raise WrongType(f"{type(value).__name__} is not written: it holds secrets")


def _status(known: Callable[[int], Any], data: Mapping[str, Any], _kind: object) -> Any:
    return known(_whole(data["code"]))


def _event_written(written: Callable[[StreamEvent], dict[str, Any]], event: StreamEvent) -> dict[str, Any]:
    """Return an event with its kind before its fields, and its place and time behind them."""
    fields = written(event)
    cursor, at = fields.pop("cursor"), fields.pop("at")
    times = {} if event.at == UNKNOWN_TIME else {"at": at}
    if isinstance(event, HostChanged):
        fields = _without_absent_times(fields)
    return {"kind": event.kind, **fields, "cursor": cursor, **times}


def _types(kind: type[Struct]) -> Mapping[str, Any]:
    """Return the type of each field."""
    types = get_type_hints(kind)
    return {name: types[name] for name in kind.__struct_fields__}


def _written(converter: Converter, types: Mapping[str, Any], value: Struct) -> dict[str, Any]:
    return {name: converter.unstructure(getattr(value, name), each) for name, each in types.items()}


def _read(converter: Converter, types: Mapping[str, Any], data: Mapping[str, Any], kind: type[S]) -> S:
    absent = types.keys() - data.keys()
    if absent and (required := absent & _required(kind)):
        raise KeyError(min(required))
    return kind(
        **{name: converter.structure(data[name], each) for name, each in types.items() if name in data}
    )


@cache
def _required(kind: type[Struct]) -> frozenset[str]:
    """Return the fields without a default."""
    return frozenset(each.name for each in msgspec.structs.fields(kind) if each.required)


def _present(value: Struct) -> dict[str, Any]:
    """Return the fields of a host's names or times that are not None; seconds without end, which no JSON has, are none."""
    fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
    return {name: each for name, each in fields if each is not None and _is_written(each)}


def _is_written(value: object) -> bool:
    return not isinstance(value, float) or isfinite(value)


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


def _plain(value: Any) -> int | str | None:
    """Return the code of an error, a number or a word."""
    if value is None or isinstance(value, int | str):
        return value
    raise ValueError("not a code")


def _whole(value: Any) -> int:
    """Return the code of a status; other values would fail later, where nobody expects it."""
    if type(value) is not int:
        raise ValueError(f"not the code of a status: {value!r:.40}")
    return value


def _integer(value: object) -> int:
    """Return a whole number, which is text where it is the key of an object; another value is never rounded to one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"not a whole number: {value!r:.60}")
    return int(value)


def _flag(value: object) -> bool:
    """Return True or False as it is."""
    if not isinstance(value, bool):
        raise TypeError(f"neither true nor false: {value!r:.60}")
    return value


def _finite(value: Any) -> float:
    """Return a number of seconds; JSON has no infinity, and a duration cannot be one."""
    number = float(value)
    if not isfinite(number):
        raise ValueError("not a number of seconds")
    return number


def _counts(result: JobResult) -> dict[str, int]:
    return {phase.value: count for phase, count in sorted(result.hosts.items())}
