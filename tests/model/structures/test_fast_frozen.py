"""A frozen twin equals an instance created by the constructor."""

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from bkjob_async.model.events import HostChanged
from bkjob_async.model.refs import HostKey, JobRef, Scope
from bkjob_async.model.status import host_status
from bkjob_async.model.structures.fast_frozen import fields_of, freeze, unfrozen_twin

REF = JobRef(Scope.biz(2), 100).step(7)


def test_a_sealed_draft_is_the_fact_itself() -> None:
    """Same class, same fields, same hash, and nobody can write to it any more."""
    made = HostChanged(
        ref=REF, host=HostKey(bk_host_id=1), execute_count=0, before=None, after=host_status(7), cursor="3-a"
    )

    (fact,) = freeze(
        HostChanged, [unfrozen_twin(HostChanged)(*(getattr(made, f.name) for f in fields_of(HostChanged)))]
    )

    assert type(fact) is HostChanged
    assert (fact, hash(fact), repr(fact), fact.cursor) == (made, hash(made), repr(made), "3-a")
    assert evolve(fact, epoch=1).epoch == 1
    with pytest.raises(FrozenInstanceError):
        fact.epoch = 1  # type: ignore[misc]


def test_a_draft_has_the_defaults_of_the_fact() -> None:
    """What is left out is as the fact would have it."""
    (key,) = freeze(HostKey, [unfrozen_twin(HostKey)(1)])

    assert key == HostKey(bk_host_id=1)
