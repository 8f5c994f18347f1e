"""Names, written and read back."""

import copy
import gc
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.model.base_error import WrongValue
from bkjob_async.model.credentials import AccessToken, AppCredentials, secrets_of
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, ScopeType, StepRef, parse_ref

scopes = st.builds(Scope, st.sampled_from(ScopeType), st.integers(1, 2**63 - 1))
ids = st.integers(1, 2**63 - 1)
refs = st.one_of(st.builds(JobRef, scopes, ids), st.builds(StepRef, scopes, ids, ids))


@given(refs)
def test_a_name_reads_back_as_itself(ref: Ref) -> None:
    """What is printed can be pasted."""
    assert parse_ref(str(ref)) == ref


def test_names_are_short() -> None:
    """A business is the usual scope and needs no word."""
    job = JobRef(Scope.biz(2), 100)

    assert [str(job), str(job.step(200)), str(JobRef(Scope.biz_set(9), 1))] == [
        "2:100",
        "2:100/200",
        "biz_set:9:1",
    ]
    assert job.step(200).job == job.job == job


@pytest.mark.parametrize("text", ["", "100", "2:", "2:x", "2:100/", "Galaxy!:2:100", "2:-1", "2:0"])
def test_what_is_no_name_is_refused(text: str) -> None:
    """With a ValueError, as `int` does."""
    with pytest.raises(ValueError):  # noqa: PT011 - the kind is the contract, the words are Python's
        parse_ref(text)


@pytest.mark.parametrize(
    ("key", "label"),
    [
        (HostKey(bk_host_id=1, bk_cloud_id=0, ip="10.0.0.1", ipv6="fe80::1"), "0:10.0.0.1"),
        (HostKey(bk_host_id=1, bk_cloud_id=3, ipv6="fe80::1"), "3:[fe80::1]"),
        (HostKey(container_id=7, container_name="web-0"), "web-0"),
        (HostKey(container_id=7), "container#7"),
        (HostKey(bk_host_id=1), "#1"),
    ],
)
def test_a_host_is_labelled_by_its_address_first(key: HostKey, label: str) -> None:
    """People know addresses, then names, then ids."""
    assert key.label == label


@pytest.mark.parametrize("text", ["0:10.0.0.1", "3:[fe80::1]", "#42"])
def test_a_label_reads_back(text: str) -> None:
    """Hosts are given the way they are printed."""
    assert str(HostKey.parse(text)) == text


def test_secrets_do_not_show() -> None:
    """No repr holds what must not be seen."""
    app = AppCredentials(bk_app_code="demo", bk_app_secret="s3cret", bk_token="t0ken", bk_ticket="t1cket")
    token = AccessToken(access_token="acc3ss")

    assert secrets_of(app) == ("s3cret", "t0ken", "t1cket")
    assert secrets_of(token) == ("acc3ss",)
    assert not any(secret in repr(app) + repr(token) for secret in (*secrets_of(app), *secrets_of(token)))


HOME = Scope.biz(2)
JOB = JobRef(HOME, 5)


def test_refs_are_not_tracked_by_the_garbage_collector() -> None:
    """A hundred thousand of them do not make its collections longer."""
    assert not any(map(gc.is_tracked, (JOB, JOB.step(7), StepRef(HOME, 5, 7))))


def test_refs_are_copied_and_pickled_as_equal_ones() -> None:
    """A process gives them to another one."""
    for ref in (JOB, JOB.step(7), StepRef(HOME, 5, 7)):
        sent = pickle.loads(pickle.dumps(ref))  # noqa: S301 - our own
        assert copy.deepcopy(ref) == sent == ref
        assert (hash(sent), sent.job) == (hash(ref), ref.job)


def test_refs_that_share_a_number_have_hashes_of_their_own() -> None:
    """Thousands of equal ones would make each look at one of them a search through all."""
    jobs = [JobRef(Scope.biz(biz), 7) for biz in range(1, 101)]
    steps = [JobRef(Scope.biz(2), number).step(1) for number in range(1, 101)]

    assert [len({hash(ref) for ref in refs}) for refs in (jobs, steps)] == [100, 100]


def test_a_step_belongs_to_the_job_that_it_names() -> None:
    """The stored name of the job is an argument, too."""
    job = JobRef(Scope.biz(2), 5)

    assert StepRef(job.scope, 5, 7, job) == job.step(7)
    for scope, job_instance_id in ((Scope.biz(3), 5), (job.scope, 6)):
        with pytest.raises(WrongValue, match="is none of the job 2:5"):
            StepRef(scope, job_instance_id, 7, job)
