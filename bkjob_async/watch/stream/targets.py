"""The targets of one watch by job: which are over, and which were not read yet."""

from __future__ import annotations

from collections.abc import Iterator

from bkjob_async.model.refs import JobRef, Ref, Scope


class TargetSet:
    """The targets of a watch.

    There may be hundreds of thousands, most of them the only one of their job. A single target is stored as itself and
    several as a tuple. Sets exist only for the targets that are over and, until all were read, for those that were not.
    There are *size* targets, of which *over* are over.
    """

    __slots__ = ("_by_job", "_over", "_scopes", "_unread", "over", "size")

    def __init__(self) -> None:
        self._by_job: dict[JobRef, Ref | tuple[Ref, ...]] = {}
        # There are few scopes, so those of dropped targets may stay.
        self._scopes: set[Scope] = set()
        self._over: set[Ref] = set()
        self._unread: set[Ref] = set()
        self.size = self.over = 0

    def __iter__(self) -> Iterator[Ref]:
        return (ref for _, refs in self.jobs() for ref in refs)

    def __contains__(self, ref: Ref) -> bool:
        return ref in self.of(ref.job)

    def of(self, job: JobRef) -> tuple[Ref, ...]:
        """Return the targets that belong to *job*."""
        refs = self._by_job.get(job, ())
        return refs if isinstance(refs, tuple) else (refs,)

    def of_id(self, job_instance_id: int) -> tuple[Ref, ...]:
        """Return the targets that belong to the job with this id, in whatever scope."""
        return tuple(ref for scope in self._scopes for ref in self.of(JobRef(scope, job_instance_id)))

    def jobs(self) -> Iterator[tuple[JobRef, tuple[Ref, ...]]]:
        """Yield each job with the targets that belong to it."""
        return ((job, refs if isinstance(refs, tuple) else (refs,)) for job, refs in self._by_job.items())

    def copy_of_jobs(self) -> dict[JobRef, object]:
        """Return a new dict whose keys are the jobs that targets belong to."""
        return {**self._by_job}

    def add(self, ref: Ref, *, unread: bool) -> None:
        """Add a target that is not one yet."""
        job = ref.job
        self._store(job, (*self.of(job), ref))
        self._scopes.add(job.scope)
        self.size += 1
        if unread:
            self._unread.add(ref)

    def share(self, job: JobRef, same: tuple[Ref, ...]) -> None:
        """Store *job* and its targets as objects that exist anyway, if they are equal; this saves memory."""
        if self.of(job) == same:
            del self._by_job[job]
            self._store(job, same)

    def _store(self, job: JobRef, refs: tuple[Ref, ...]) -> None:
        self._by_job[job] = refs[0] if len(refs) == 1 else refs

    def remove(self, ref: Ref) -> None:
        """Remove a target."""
        job = ref.job
        left = tuple(other for other in self.of(job) if other != ref)
        if left:
            self._store(job, left)
        else:
            del self._by_job[job]
        self.size -= 1
        self.settle(ref, over=False)
        self._unread.discard(ref)

    # Which are over, which were read --------------------------------------------------------------------------------

    def settle(self, ref: Ref, *, over: bool) -> None:
        """Record whether a target is over."""
        if over:
            self._over.add(ref)
        elif self._over:
            self._over.discard(ref)
        self.over = len(self._over)

    def unsettled(self) -> list[Ref]:
        """Return the targets that are not over, job by job in the order of their addition."""
        over = self._over
        return [ref for ref in self if ref not in over]

    @property
    def all_read(self) -> bool:
        """Whether every target was read."""
        return not self._unread

    def read(self, ref: Ref) -> None:
        """Record that a target was read."""
        if self._unread:
            self._unread.discard(ref)
            if not self._unread:
                self._unread = set()  # the memory of the old one is freed
