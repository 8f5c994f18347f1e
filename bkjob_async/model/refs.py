"""Names of scopes, job instances, step instances and hosts."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import IPv4Address, ip_address
from typing import Any, Self, TypeVar, cast

from attrs import field, frozen
from msgspec import Struct
from msgspec.structs import force_setattr

from bkjob_async.model.base_error import WrongType, WrongValue
from bkjob_async.model.text.printing import printable

S = TypeVar("S", bound="Scope")

MAX_SHARED_SCOPES = 1024
_scopes: dict[Scope, Scope] = {}

_SCOPE_TYPE = re.compile(r"[a-z][a-z_]*")


def _positive(owner: object, attribute: Any, value: Any) -> None:
    """Raise `UsageError` for anything but a positive int; a bool is none."""
    _check_positive(owner, attribute.name, value)


def _check_positive(owner: object, attribute: str, value: Any) -> None:
    """Raise `UsageError` for anything but a positive int; a bool is none."""
    if type(value) is int and value > 0:
        return
    name = f"{type(owner).__name__}: {attribute}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongType(
            f"{name} must be a whole number (int), not {value!r:.60}: {_remedy(owner, attribute)}"
        )
    if value <= 0:
        raise WrongValue(f"{name} must be positive, not {value}: {_remedy(owner, attribute)}")


def _remedy(owner: object, name: str) -> str:
    """Return what to write instead."""
    return "Scope.biz(2)" if isinstance(owner, Scope) else f"{type(owner).__name__}(..., {name}=100)"


def check_scope(value: object, example: str) -> None:
    """Raise `UsageError` for anything but a scope; the *example* shows how one is given."""
    if not isinstance(value, Scope):
        raise WrongType(f"scope must be a Scope, not {value!r:.60}: {example}")


def check_optional_scope(scope: object) -> None:
    """Raise `UsageError` for a *scope* that is given and is none."""
    if scope is not None:
        check_scope(scope, "scope=Scope.biz(2)")


class ScopeType(StrEnum):
    """The kinds of resource scope (`bk_scope_type`)."""

    BIZ = "biz"
    BIZ_SET = "biz_set"
    TENANT_SET = "tenant_set"


def _scope_type(value: str) -> ScopeType | str:
    """Return a known kind as a `ScopeType`, another one as text."""
    if isinstance(value, str):
        try:
            return ScopeType(value)
        except ValueError:
            if _SCOPE_TYPE.fullmatch(value):
                return value
    kinds = ", ".join(ScopeType)
    raise WrongValue(f"a scope's type is one of {kinds}, not {value!r:.60}: Scope.biz(2)")


@frozen
class Scope:
    """A business, a business set or a tenant set: the owner of a job.

    *type* is a `ScopeType`; a kind that this version does not know is plain text, and is sent as such.

    *id* is the business's number (`bk_biz_id`), or that of the set.
    """

    type: ScopeType | str = field(converter=_scope_type)
    id: int = field(validator=_positive)

    @classmethod
    def biz(cls, id: int) -> Self:  # noqa: A002 - the platform's word
        """Name the business with this id."""
        return _shared(cls(ScopeType.BIZ, id))

    @classmethod
    def biz_set(cls, id: int) -> Self:  # noqa: A002 - the platform's word
        """Name the business set with this id."""
        return _shared(cls(ScopeType.BIZ_SET, id))

    @classmethod
    def tenant_set(cls, id: int) -> Self:  # noqa: A002 - the platform's word
        """Name the tenant set with this id; platforms know them since version 3.12."""
        return _shared(cls(ScopeType.TENANT_SET, id))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read back what `str` wrote: `2` or `biz_set:9`; raise ValueError."""
        kind, _, number = text.rpartition(":")
        return _shared(cls(kind or ScopeType.BIZ, int(number)))

    def __hash__(self) -> int:
        return self.id

    def __str__(self) -> str:
        return str(self.id) if self.type is ScopeType.BIZ else f"{self.type}:{self.id}"


def _shared(scope: S) -> S:
    """Return an equal scope that was named before: a hundred thousand refs name few, which are compared at every poll."""
    if len(_scopes) >= MAX_SHARED_SCOPES:
        _scopes.clear()
    return cast("S", _scopes.setdefault(scope, scope))


# The garbage collector does not track refs, of which there may be hundreds of thousands: they refer to no container.


class JobRef(Struct, frozen=True, gc=False):
    """The name of a job instance.

    *scope* owns the job, *job_instance_id* is the platform's number of this run.
    """

    scope: Scope
    job_instance_id: int

    def __post_init__(self) -> None:
        check_scope(self.scope, "JobRef(Scope.biz(2), ...)")
        _check_positive(self, "job_instance_id", self.job_instance_id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read back what `str` wrote: `2:100` or `biz_set:9:100`; raise ValueError."""
        scope, _, job = text.rpartition(":")
        return cls(Scope.parse(scope), int(job))

    @property
    def job(self) -> JobRef:
        """The job itself; a step's is the job that it belongs to."""
        return self

    def step(self, step_instance_id: int) -> StepRef:
        """Name a step instance of this job."""
        return StepRef.of(self, step_instance_id)

    def __hash__(self) -> int:
        # Not cached: a cached hash would be one more object for each ref.
        return hash((self.job_instance_id, self.scope.id))

    def __str__(self) -> str:
        return f"{self.scope}:{self.job_instance_id}"


class StepRef(Struct, frozen=True, gc=False):
    """The name of a step instance.

    *scope* and *job_instance_id* are those of the job that it belongs to, *step_instance_id* is the platform's number of the
    step. `job` is the job's name.
    """

    scope: Scope
    job_instance_id: int
    step_instance_id: int
    job: JobRef = None  # type: ignore[assignment]  # made below where `of` has not given it

    def __post_init__(self) -> None:
        _check_positive(self, "step_instance_id", self.step_instance_id)
        job = cast("JobRef | None", self.job)
        if job is None:
            force_setattr(self, "job", JobRef(self.scope, self.job_instance_id))
        elif job.job_instance_id != self.job_instance_id or (
            job.scope is not self.scope and job.scope != self.scope
        ):
            raise WrongValue(
                f"a step of {self.scope}:{self.job_instance_id} is none of the job {job}: leave out job"
            )

    @classmethod
    def of(cls, job: JobRef, step_instance_id: int) -> Self:
        """Name a step of *job*."""
        if not isinstance(job, JobRef):
            raise WrongType(f"the job of a step must be a JobRef, not {job!r:.60}")
        return cls(job.scope, job.job_instance_id, step_instance_id, job)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read back what `str` wrote: `2:100/200`; raise ValueError."""
        job, _, step = text.rpartition("/")
        return cls.of(JobRef.parse(job), int(step))

    def __hash__(self) -> int:
        # By the job, too: a server of one's own may number the steps of each job from 1.
        return hash((self.step_instance_id, self.job_instance_id))

    def __repr__(self) -> str:
        own = f"job_instance_id={self.job_instance_id}, step_instance_id={self.step_instance_id}"
        return f"StepRef(scope={self.scope!r}, {own})"

    def __str__(self) -> str:
        return f"{self.job}/{self.step_instance_id}"


Ref = JobRef | StepRef


def parse_ref(text: str) -> Ref:
    """Read a job or step name as `str` writes it; raise `UsageError` for other text.

    >>> print(bkjob.parse_ref("2:100").scope, bkjob.parse_ref("biz_set:9:100/200").step_instance_id)
    2 200
    """
    try:
        return StepRef.parse(text) if "/" in text else JobRef.parse(text)
    except (AttributeError, TypeError, ValueError):
        forms = "'2:100', '2:100/200' or 'biz_set:9:100'; as_ref() reads ids and links, too"
        raise WrongValue(f"{text!r:.60} names no job or step: write {forms}") from None


class HostKey(Struct, frozen=True, gc=False, kw_only=True):
    """All names of one host or container that the platform gave.

    Dialects and operations name the same host differently: by `bk_host_id`, by `cloud:ip`, by both. The label
    is `cloud:ip`, else `cloud:[ipv6]`, the container's name or the host id, in one printable line.

    *bk_host_id* is the number of a host. *bk_cloud_id* is its network area, in which *ip* or *ipv6* is
    unique. A container has *container_id*, the platform's number, and *container_name*. What the platform did
    not name is None.
    """

    bk_host_id: int | None = None
    bk_cloud_id: int | None = None
    ip: str | None = None
    ipv6: str | None = None
    container_id: int | None = None
    container_name: str | None = None

    def __post_init__(self) -> None:
        # A key is made for each host that is seen for the first time: what most are like is seen without a call.
        host_id = self.bk_host_id
        is_usual = (
            type(host_id) is int
            and host_id > 0
            and type(self.bk_cloud_id) is int
            and type(self.ip) is str
            and self.ipv6 is None
            and self.container_id is None
            and self.container_name is None
        )
        if not is_usual:
            self._check()

    def _check(self) -> None:
        """Raise `WrongType` or `WrongValue` for a name that can be none."""
        if self.bk_host_id is not None:
            _check_positive(self, "bk_host_id", self.bk_host_id)
        if self.container_id is not None:
            _check_positive(self, "container_id", self.container_id)
        cloud = self.bk_cloud_id
        if cloud is not None and (isinstance(cloud, bool) or not isinstance(cloud, int)):
            raise WrongType(f"HostKey: bk_cloud_id must be a whole number (int), not {cloud!r:.60}")
        for name, text in (("ip", self.ip), ("ipv6", self.ipv6), ("container_name", self.container_name)):
            if text is not None and not isinstance(text, str):
                raise WrongType(f"HostKey: {name} must be text, not {text!r:.60}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `cloud:ip`, `cloud:[ipv6]`, a bare address (cloud 0) or `#host_id`; raise ValueError."""
        try:
            if text.startswith("#"):
                return cls(bk_host_id=int(text[1:]))
            return cls._at(*_cloud_and_address(text))
        except ValueError:
            forms = "'cloud:ip', 'cloud:[ipv6]', a bare address or '#host_id'"
            raise WrongValue(f"a host is {forms}, not {text!r:.60}") from None

    @classmethod
    def _at(cls, cloud: str, address: str) -> Self:
        if isinstance(ip_address(address), IPv4Address):
            return cls(bk_cloud_id=int(cloud), ip=address)
        return cls(bk_cloud_id=int(cloud), ipv6=address)

    @property
    def label(self) -> str:
        """The name to show."""
        if self.ip:
            return printable(f"{self.bk_cloud_id or 0}:{self.ip}")
        if self.ipv6:
            return printable(f"{self.bk_cloud_id or 0}:[{self.ipv6}]")
        if self.container_name or self.container_id is not None:
            return printable(self.container_name or f"container#{self.container_id}")
        return f"#{self.bk_host_id}"

    def __str__(self) -> str:
        return self.label


def _cloud_and_address(text: str) -> tuple[str, str]:
    """Split `cloud:address`; an address that stands alone is in cloud 0."""
    cloud, separator, address = text.partition(":")
    if not separator or (":" in address.strip("[]") and not address.startswith("[")):
        return "0", text.strip("[]")
    return cloud, address.removeprefix("[").removesuffix("]")
