"""The entries of a shard's inbox as bytes: targets to add or to drop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bkjob_async.engine.journaling.decoding import version_in
from bkjob_async.errors import JournalDamaged, JournalTooNew
from bkjob_async.model.refs import JobRef, Ref, Scope, StepRef

VERSION = 1
# An entry holds so many targets at most: some ten kilobytes.
MAX_TARGETS = 2000

# An array: version, True to add and False to drop, then runs of targets of one scope, in order: the scope, the ids of
# the jobs, the ids of the steps (0 for the job itself), or nothing where all of them are jobs.
Form = tuple[int, bool, list[tuple[str, list[int], list[int] | None]]]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Form)


def entries_of(refs: Sequence[Ref], *, added: bool) -> Iterator[bytes]:
    """Yield entries that add *refs*, or drop them, in this order."""
    for start in range(0, len(refs), MAX_TARGETS):
        runs: list[tuple[str, list[int], list[int]]] = []
        scope: Scope | None = None
        jobs: list[int] = []
        steps: list[int] = []
        for ref in refs[start : start + MAX_TARGETS]:
            if ref.scope is not scope:
                scope, jobs, steps = ref.scope, [], []
                runs.append((str(scope), jobs, steps))
            if isinstance(ref, StepRef):
                jobs.append(ref.job.job_instance_id)
                steps.append(ref.step_instance_id)
            else:
                jobs.append(ref.job_instance_id)
                steps.append(0)
        yield _encoder.encode(
            (VERSION, added, [(text, ids, inner if any(inner) else None) for text, ids, inner in runs])
        )


def read_entry(data: bytes) -> tuple[list[Ref], bool]:
    """Return the targets of an entry, and whether they are added; raise `JournalTooNew` or `JournalDamaged`."""
    try:
        _, added, runs = _decoder.decode(data)
        return [ref for run in runs for ref in _refs(*run)], added
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        if version_in(data) > VERSION:
            raise JournalTooNew("a newer version of this package added targets to the fleet") from error
        raise JournalDamaged(f"an entry of the fleet's inbox cannot be read: {error}") from error


def _refs(text: str, jobs: list[int], steps: list[int] | None) -> Iterator[Ref]:
    scope = Scope.parse(text)
    for job, step in zip(jobs, steps or [0] * len(jobs), strict=True):
        ref = JobRef(scope, job)
        yield ref.step(step) if step else ref
