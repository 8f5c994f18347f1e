"""Refs in all forms that callers may pass: ids, text, links of the web console, results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

from bkjob_async.model.base_error import UsageError, WrongType
from bkjob_async.model.refs import JobRef, Ref, Scope, ScopeType, StepRef, parse_ref

R = TypeVar("R", bound=Ref)


class ScopeMissing(UsageError):
    """A job was named without its scope, and there is no default."""


class HasRef(Protocol):
    """A response, result or event about one job or step."""

    @property
    def ref(self) -> Ref:
        """The job or step that it is about."""
        ...


class HasJobRef(Protocol):
    """A response, result or event about one job."""

    @property
    def ref(self) -> JobRef:
        """The job that it is about."""
        ...


RefLike = Ref | int | str | HasRef
JobRefLike = JobRef | int | str | HasJobRef

ACCEPTED = (
    "a JobRef, a StepRef, a job id (int), '2:100', '2:100/200', a link of the web console,"
    " or an answer that has a ref"
)
NO_SCOPE = "it does not say the scope: give a default with connect(scope=...), or a JobRef"

_REFS = (JobRef, StepRef)
_PLAIN_ID = re.compile(r"(?P<job>\d{1,19})(?:/(?P<step>\d{1,19}))?")
# `api_execute/JOB`, `api_execute_step/JOB/STEP`, and the console's own pages, which name the scope.
_LINK_PATH = re.compile(
    rf"(?:/(?P<kind>{'|'.join(ScopeType)})/(?P<scope>[1-9]\d{{0,18}}))?"
    r"/(?:api_execute|api_execute_step|execute/(?:task|quick-launch|step))"
    r"/(?P<job>\d{1,19})(?:/(?P<step>\d{1,19}))?/?$"
)
_STEP_IN_QUERY = "stepInstanceId"


def as_ref(value: RefLike, default_scope: Scope | None = None) -> Ref:
    """Return the job or step that *value* names; raise `UsageError`.

    *value* is a ref, a job id, the text of a ref (`2:100`, `2:100/200`, `100`, `100/200`), a link of the web
    console, or anything with a `ref`: what a launch returned, a snapshot, a result. What names no scope is in
    *default_scope*.
    """
    if isinstance(value, JobRef | StepRef):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return _named(default_scope, value, None, value)
    if isinstance(value, str):
        return _from_text(value.strip(), default_scope)
    ref = getattr(value, "ref", None)
    if isinstance(ref, JobRef | StepRef):
        return ref
    raise _no_ref(value)


def _no_ref(value: object) -> WrongType:
    """Return the error for what names nothing."""
    return WrongType(f"{_shown(value)} names no job or step; give {ACCEPTED}")


def as_refs(values: Iterable[RefLike] | RefLike, default_scope: Scope | None = None) -> tuple[Ref, ...]:
    """Return what *values*, one or many, name; raise `UsageError`."""
    # The items of bytes are numbers, which would be taken for ids.
    if isinstance(values, bytes | bytearray | memoryview):
        raise _no_ref(values)
    if isinstance(values, JobRef | StepRef | int | str) or not isinstance(values, Iterable):
        return (as_ref(values, default_scope),)
    # There may be hundreds of thousands, nearly all of them refs already.
    return tuple([value if isinstance(value, _REFS) else as_ref(value, default_scope) for value in values])


def as_job_ref(value: JobRefLike, default_scope: Scope | None = None) -> JobRef:
    """Return the job that *value* names; raise `UsageError`, for a step too."""
    ref = as_ref(value, default_scope)
    if isinstance(ref, StepRef):
        raise UsageError(f"{ref} names a step where a job is meant: give its job, {ref.job}")
    return ref


def as_step_ref(
    value: RefLike, step_instance_id: int | None = None, default_scope: Scope | None = None
) -> StepRef:
    """Return the step that *value* names, alone or with *step_instance_id*; raise `UsageError`.

    What a launch returned names its only step, where the platform said which.
    """
    ref = as_ref(value, default_scope)
    if isinstance(ref, JobRef):
        if step_instance_id is not None:
            job = ref
            return _checked(lambda: job.step(step_instance_id))
        ref = getattr(value, "step", None) or ref
    if not isinstance(ref, StepRef):
        raise UsageError("a step needs a StepRef, or a job and a step_instance_id")
    if step_instance_id not in {None, ref.step_instance_id}:
        raise UsageError(f"{ref} is one step, step_instance_id={step_instance_id} another")
    return ref


def _from_text(text: str, default_scope: Scope | None) -> Ref:
    """Read the text of a ref, a plain id, or a link."""
    if "://" in text or "api_execute" in text:
        return _from_link(text, default_scope)
    plain = _PLAIN_ID.fullmatch(text)
    if plain is not None:
        return _named(default_scope, int(plain["job"]), plain["step"], text)
    try:
        return parse_ref(text)
    except (TypeError, ValueError):
        raise UsageError(f"{_shown(text)} names no job or step; give {ACCEPTED}") from None


def _from_link(link: str, default_scope: Scope | None) -> Ref:
    """Read a link of the web console; the scope that it names takes precedence over the default."""
    place = link.partition("?")[0]
    found, query = _taken_apart(link)
    if found is None:
        example = "https://job.example.com/api_execute/100"
        raise UsageError(f"{_shown(place)} is no link to a job or step; such as {example}")
    steps = parse_qs(query, keep_blank_values=True).get(_STEP_IN_QUERY, [])
    step = found["step"] or (steps[0] if steps else None)
    if step is not None and _PLAIN_ID.fullmatch(step) is None:
        raise UsageError(f"{_shown(place)} names no step in {_STEP_IN_QUERY}, where an id is positive")
    scope = default_scope
    if found["kind"] is not None:
        scope = Scope(found["kind"], int(found["scope"]))
    return _named(scope, int(found["job"]), step, place)


def _taken_apart(link: str) -> tuple[re.Match[str] | None, str]:
    """Return the job and step in the path of a link, None for neither, and its query."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return None, ""
    return _LINK_PATH.search("/" + parts.path.lstrip("/")), parts.query


def _named(scope: Scope | None, job: int, step: str | None, given: object) -> Ref:
    """Return the ref of these ids."""
    if scope is None:
        raise ScopeMissing(f"{_shown(given)}: {NO_SCOPE}")
    if step is None:
        return _checked(lambda: JobRef(scope, job))
    return _checked(lambda: StepRef(scope, job, int(step)))


def _checked(make: Callable[[], R]) -> R:
    """Return what *make* returns; its ValueError or TypeError becomes a `UsageError`."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def _shown(value: object) -> str:
    """Return a short text of a wrong argument: text and numbers themselves, of others the type."""
    return f"{value!r:.60}" if isinstance(value, str | int) else f"a {type(value).__name__}"
