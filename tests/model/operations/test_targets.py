"""Hosts in all forms that callers may pass, and operations that name them in one way each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.model.operations.queries import split_log_request
from bkjob_async.model.operations.targets import HostLike, Targets, TopoNode, host_keys, targets_of
from bkjob_async.model.refs import HostKey, JobRef, Scope

STEP = JobRef(Scope.biz(2), 1).step(2)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (7, HostKey(bk_host_id=7)),
        ("0:10.0.0.1", HostKey(bk_cloud_id=0, ip="10.0.0.1")),
        (" 10.0.0.1 ", HostKey(bk_cloud_id=0, ip="10.0.0.1")),
        ("3:[fd00::1]", HostKey(bk_cloud_id=3, ipv6="fd00::1")),
        (HostKey(container_id=5), HostKey(container_id=5)),
    ],
)
def test_a_host_is_given_as_id_address_or_key(given: HostLike, key: HostKey) -> None:
    """One host stands for itself, several in any iterable, each once."""
    assert host_keys(given) == (key,)
    assert host_keys([given, given]) == (key,)
    assert targets_of(given) == Targets(hosts=[given])


@pytest.mark.parametrize("given", [0, -1, True, 1.5, None, "x:10.0.0.1", b"10.0.0.1"])
def test_what_is_no_host_is_refused(given: object) -> None:
    """One error for everything that names no host."""
    with pytest.raises(ValueError, match=r".+"):
        host_keys([given])  # type: ignore[list-item]  # the mistake is the test


def test_targets_take_short_forms() -> None:
    """A single group is a text, a node a pair; nothing named is false."""
    targets = Targets(dynamic_groups="g", topo_nodes=[("module", 3)])

    assert (targets.dynamic_groups, targets.topo_nodes) == (("g",), (TopoNode("module", 3),))
    assert targets
    assert not Targets()


HOSTS = st.lists(
    st.integers(1, 99)
    | st.integers(1, 99).map(lambda n: f"0:10.0.0.{n}")
    | st.integers(1, 99).map(lambda n: HostKey(container_id=n)),
    max_size=60,
)


@given(HOSTS, st.integers(1, 20))
def test_questions_for_logs_name_every_host_once_and_one_way(hosts: list[HostLike], at_once: int) -> None:
    """No question is too large, none mixes names, and none forgets or doubles a host."""
    questions = list(split_log_request(STEP, hosts, at_once=at_once))

    named = [host for question in questions for host in question.hosts]
    assert sorted(map(str, named)) == sorted(map(str, host_keys(hosts)))
    for question in questions:
        assert 1 <= len(question.hosts) <= at_once
        assert len({(h.bk_host_id is None, h.ip is None) for h in question.hosts}) == 1
    assert len(questions) <= len(named) // at_once + 3
