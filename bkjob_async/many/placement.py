"""Map a target to its shard: the same in every process, of every version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

from attrs import field, frozen

from bkjob_async.errors import UsageError
from bkjob_async.model.base_error import check_type
from bkjob_async.model.refs import Ref, Scope

MAX_SHARDS: Final = 1024


def number_of(text: str) -> int:
    """Return a number of 64 bits that stands for *text*, always the same one."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _checked_shards(_instance: object, _attribute: object, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SHARDS:
        raise UsageError(f"shards is a number from 1 to {MAX_SHARDS}, not {value!r:.40}")


def _checked_wide(_instance: object, _attribute: object, value: Any) -> None:
    check_type("wide", value, Mapping, "{Scope.biz(2): 4}")
    for scope, count in value.items():
        if not isinstance(scope, Scope) or isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise UsageError("wide names scopes, and over how many shards each is spread: {Scope.biz(2): 4}")


@frozen(kw_only=True)
class Placement:
    """Which of so many *shards* each target belongs to.

    The jobs of one scope stay together, so that one list shows many of them; a scope in *wide* is spread by job id over
    as many shards as it says. The steps of a job are where the job is.
    """

    shards: int = field(validator=_checked_shards)
    wide: Mapping[Scope, int] = field(factory=dict, validator=_checked_wide)

    def shard_of(self, ref: Ref) -> int:
        """Return the number of the shard, from 0 on."""
        scope = ref.scope
        shard = number_of(str(scope)) % self.shards
        if scope in self.wide:
            spread = min(self.wide[scope], self.shards)
            return (shard + number_of(str(ref.job.job_instance_id)) % spread) % self.shards
        return shard

    def by_shard(self, refs: Iterable[Ref]) -> dict[int, list[Ref]]:
        """Return *refs* by shard, each list in the order in which they came."""
        found: dict[int, list[Ref]] = {}
        for ref in refs:
            found.setdefault(self.shard_of(ref), []).append(ref)
        return found
