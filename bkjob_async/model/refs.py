"""Names of things: scopes, job instances, step instances, hosts."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from attrs import field, frozen, validators

from bkjob_async.model.printing import printable

_positive = validators.and_(validators.instance_of(int), validators.gt(0))


class ScopeType(StrEnum):
    """The kinds of resource scope (`bk_scope_type`)."""

    BIZ = "biz"
    BIZ_SET = "biz_set"


@frozen
class Scope:
    """A business or a business set: where a job lives."""

    type: ScopeType = field(converter=ScopeType)
    id: int = field(validator=_positive)

    @classmethod
    def biz(cls, id: int) -> Self:  # noqa: A002 - the platform's word
        """Name the business with this id."""
        return cls(ScopeType.BIZ, id)

    @classmethod
    def biz_set(cls, id: int) -> Self:  # noqa: A002 - the platform's word
        """Name the business set with this id."""
        return cls(ScopeType.BIZ_SET, id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read back what `str` wrote: `2` or `biz_set:9`; raise ValueError."""
        kind, _, number = text.rpartition(":")
        return cls(ScopeType(kind or "biz"), int(number))

    def __hash__(self) -> int:
        return self.id

    def __str__(self) -> str:
        return str(self.id) if self.type is ScopeType.BIZ else f"{self.type.value}:{self.id}"


@frozen(weakref_slot=False)
class JobRef:
    """The name of a job instance."""

    scope: Scope
    job_instance_id: int = field(validator=_positive)

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
        # Not kept: that would take one more object for each name, which is dearer than this.
        return hash((self.job_instance_id, self.scope.id))

    def __str__(self) -> str:
        return f"{self.scope}:{self.job_instance_id}"


@frozen(init=False, repr=False, weakref_slot=False)
class StepRef:
    """The name of a step instance, and of the *job* that it belongs to.

    There may be hundreds of thousands, so it holds no more than the job's name and the step's own id.
    """

    job: JobRef
    step_instance_id: int = field(validator=_positive)

    def __init__(self, scope: Scope, job_instance_id: int, step_instance_id: int) -> None:
        """Name a step by its scope, its job's id and its own."""
        self.__attrs_init__(JobRef(scope, job_instance_id), step_instance_id)  # pyright: ignore[reportAttributeAccessIssue] - attrs makes it

    @classmethod
    def of(cls, job: JobRef, step_instance_id: int) -> Self:
        """Name a step of *job*."""
        ref = cls.__new__(cls)
        ref.__attrs_init__(job, step_instance_id)  # pyright: ignore[reportAttributeAccessIssue] - attrs makes it
        return ref

    @property
    def scope(self) -> Scope:
        """Where the job lives."""
        return self.job.scope

    @property
    def job_instance_id(self) -> int:
        """The id of the job that it belongs to."""
        return self.job.job_instance_id

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read back what `str` wrote: `2:100/200`; raise ValueError."""
        job, _, step = text.rpartition("/")
        return cls.of(JobRef.parse(job), int(step))

    def __hash__(self) -> int:
        return hash((self.step_instance_id, self.job.job_instance_id))

    def __repr__(self) -> str:
        own = f"job_instance_id={self.job_instance_id}, step_instance_id={self.step_instance_id}"
        return f"StepRef(scope={self.scope!r}, {own})"

    def __str__(self) -> str:
        return f"{self.job}/{self.step_instance_id}"


Ref = JobRef | StepRef


def parse_ref(text: str) -> Ref:
    """Read a job or step name as `str` writes it; raise ValueError."""
    return StepRef.parse(text) if "/" in text else JobRef.parse(text)


@frozen(kw_only=True)
class HostKey:
    """All that the platform said to name one host or container of a step.

    Dialects and questions name the same host differently: by `bk_host_id`, by `cloud:ip`, by both. The label people
    read is `cloud:ip`, else `cloud:[ipv6]`, the container's name, the host id, in one printable line.
    """

    bk_host_id: int | None = None
    bk_cloud_id: int | None = None
    ip: str | None = None
    ipv6: str | None = None
    container_id: int | None = None
    container_name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `cloud:ip`, a bare ip (cloud 0) or `#host_id`; raise ValueError."""
        if text.startswith("#"):
            return cls(bk_host_id=int(text[1:]))
        cloud, _, address = text.partition(":")
        if address.startswith("[") and address.endswith("]"):
            return cls(bk_cloud_id=int(cloud), ipv6=address[1:-1])
        if not address:
            return cls(bk_cloud_id=0, ip=cloud)
        return cls(bk_cloud_id=int(cloud), ip=address)

    @property
    def label(self) -> str:
        """The name that people read."""
        if self.ip:
            return printable(f"{self.bk_cloud_id or 0}:{self.ip}")
        if self.ipv6:
            return printable(f"{self.bk_cloud_id or 0}:[{self.ipv6}]")
        if self.container_name or self.container_id is not None:
            return printable(self.container_name or f"container#{self.container_id}")
        return f"#{self.bk_host_id}"

    def __str__(self) -> str:
        return self.label
