"""Which rows are one host, and what each response says of it: rows in, events out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import count_hosts, target_snapshot
from bkjob_async.model.events import HostChanged
from bkjob_async.model.poll_view import GroupPollView, StepPollView
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import HostSnapshot, StepSnapshot
from bkjob_async.model.status import UNFINISHED_HOST_CODES, host_status
from tests.engine.applied import apply_step
from tests.engine.poll_views import STRANGE_CODES, Row, at, host, show_strange_codes, step
from tests.engine.responses.test_job_tracker import STEP, job_state
from tests.examples import examples

# Hosts beside those that a test is about: few and many are kept in different forms.
OTHERS = [0, 100, 300]
# They stand for themselves where a byte can name no more codes.
RARE_CODES = (20_001, 20_002)


@pytest.fixture(autouse=True, scope="module")
def strange_codes() -> None:
    """Leave no byte for the rare codes."""
    show_strange_codes()


def others(count: int, status: int = 7) -> list[Row]:
    """Return rows of so many other hosts."""
    return [
        Row(status=status, bk_host_id=50_000 + n, ip=f"10.9.{n >> 8}.{n & 255}", exit_code=0)
        for n in range(count)
    ]


def grouped(rows: Sequence[Row]) -> tuple[GroupPollView, ...]:
    """Return rows in groups of one status and tag."""
    kinds = sorted({(row.status, row.tag or "") for row in rows})
    return tuple(
        GroupPollView(status=status, tag=tag, size=len(listed), rows=listed)
        for status, tag in kinds
        for listed in [[row for row in rows if (row.status, row.tag or "") == (status, tag)]]
    )


def apply(state: JobState, now: float, view: StepPollView) -> list[HostChanged]:
    """Apply a response; return which hosts have changed."""
    return [event for event in apply_step(state, view, at(now)) if isinstance(event, HostChanged)]


def hosts_in(state: JobState) -> list[HostSnapshot]:
    """Return all hosts of the step as they are known."""
    snapshot = target_snapshot(state, STEP)
    assert isinstance(snapshot, StepSnapshot)
    return [*(snapshot.hosts or ())]


def texts(events: Sequence[HostChanged]) -> list[str]:
    """Return changes of hosts in words: `0:10.0.0.1 7>9`."""
    return [f"{e.host.label} {e.before.code if e.before else None}>{e.after.code}" for e in events]


@frozen
class Case:
    """Rows of one response after the other, what each of them reports, and how many hosts there are then."""

    shown: Sequence[Sequence[Row]]
    told: Sequence[Sequence[str]]
    hosts: int = field(kw_only=True)
    # Responses, by their index, that may leave hosts out.
    parts: Sequence[int] = ()


ONE, TWO = host(1, 7), host(2, 7)
ANEW = Row(status=7, bk_host_id=9002, ip="10.0.0.2")
ODD = [
    Row(status=7, bk_cloud_id=3, ipv6="fe80::1"),
    Row(status=7, bk_host_id=9, ipv6="fe80::2"),
    Row(status=7, container_id=77),
    Row(status=7, ip="not-an-address"),
    Row(status=7, bk_host_id=2**63 + 5),
    Row(status=7, bk_cloud_id=2**40, ip="10.0.0.1"),
]
ODD_LABELS = (
    *("3:[fe80::1]", "0:[fe80::2]", "container#77", "0:not-an-address"),
    *(f"#{2**63 + 5}", "1099511627776:10.0.0.1"),
)
# What some readers of addresses would take for others.
NO_ADDRESSES = (
    *("10.0.0", "10.0.0.0.1", "10.0.0.256", "10.0.0.-1", "10.0.0.01", " 10.0.0.1", "10.0.0.1\n", "fd00::1"),
    *("10.0.0.+1", "1_0.0.0.1", "10.0.0.\u0661", "10.0.0.x", "host"),
)

CASES = {
    "a name that is learnt later joins": Case(
        [
            [Row(status=5, ip="10.0.0.1")],
            [Row(status=5, bk_host_id=1, ip="10.0.0.1")],
            [Row(status=7, bk_host_id=1)],
        ],
        [["0:10.0.0.1 None>5"], [], ["0:10.0.0.1 5>7"]],
        hosts=1,
    ),
    "one address in two cloud areas is two hosts": Case(
        [[Row(status=5, ip="10.0.0.1"), Row(status=7, ip="10.0.0.1", bk_cloud_id=3)]],
        [["0:10.0.0.1 None>5", "3:10.0.0.1 None>7"]],
        hosts=2,
    ),
    "two ids at one address are two hosts": Case(
        [[Row(status=5, bk_host_id=1, ip="10.0.0.1"), Row(status=7, bk_host_id=2, ip="10.0.0.1")]],
        [["0:10.0.0.1 None>5", "0:10.0.0.1 None>7"]],
        hosts=2,
    ),
    "an unknown id at the address of a listed host is another host, the address alone is the known one": Case(
        [[ONE], [ONE, Row(status=9, bk_host_id=2, ip="10.0.0.1")], [Row(status=9, ip="10.0.0.1")]],
        [["0:10.0.0.1 None>7"], ["0:10.0.0.1 None>9"], ["0:10.0.0.1 7>9"]],
        hosts=2,
    ),
    "a row without a name says nothing": Case([[Row(status=9)]], [[]], hosts=0),
    "hosts without an address and an id that is small stay one host each": Case(
        [ODD, [evolve(row, status=9) for row in ODD]],
        [[f"{label} None>7" for label in ODD_LABELS], [f"{label} 7>9" for label in ODD_LABELS]],
        hosts=len(ODD),
    ),
    "what is no address is a name as it stands": Case(
        [[Row(status=code, ip=ip) for ip in ("10.0.0.1", *NO_ADDRESSES)] for code in (7, 9)],
        [
            [f"{HostKey(bk_cloud_id=0, ip=ip).label} {change}" for ip in ("10.0.0.1", *NO_ADDRESSES)]
            for change in ("None>7", "7>9")
        ],
        hosts=1 + len(NO_ADDRESSES),
    ),
    "a host without an id is found by no id": Case(
        [
            [Row(status=7, container_id=1), Row(status=7, container_id=2)],
            [Row(status=9, bk_host_id=1 << 63), Row(status=9, bk_host_id=1 << 63 | 1)],
        ],
        [
            ["container#1 None>7", "container#2 None>7"],
            [f"#{1 << 63} None>9", f"#{1 << 63 | 1} None>9"],
        ],
        hosts=4,
    ),
    "hosts that were known by addresses are the same ones by ids": Case(
        [[evolve(ONE, bk_host_id=None), evolve(TWO, bk_host_id=None)], [host(2, 9), host(1, 9)]],
        [["0:10.0.0.1 None>7", "0:10.0.0.2 None>7"], ["0:10.0.0.2 7>9", "0:10.0.0.1 7>9"]],
        hosts=2,
    ),
    "a host that is registered anew is the same host": Case(
        [[ONE, TWO], [ONE, ANEW], [host(1, 9), evolve(ANEW, status=9)]],
        [["0:10.0.0.1 None>7", "0:10.0.0.2 None>7"], [], ["0:10.0.0.1 7>9", "0:10.0.0.2 7>9"]],
        hosts=2,
    ),
    "both ids of an address, listed together later, are two hosts": Case(
        [[ONE, TWO], [ONE, ANEW], [ONE, TWO, evolve(ANEW, status=9)], [ONE, TWO, evolve(ANEW, status=9)]],
        [["0:10.0.0.1 None>7", "0:10.0.0.2 None>7"], [], ["0:10.0.0.2 None>9"], []],
        hosts=3,
    ),
    "a new id says nothing while the known one may have been left out": Case(
        [[ONE, TWO], [evolve(ANEW, status=9)], [evolve(ANEW, status=9)], [ONE, evolve(ANEW, status=9)]],
        [["0:10.0.0.1 None>7", "0:10.0.0.2 None>7"], [], [], ["0:10.0.0.2 7>9"]],
        hosts=2,
        parts=[1, 2],
    ),
    "a container is not the host that it runs on": Case(
        [[ONE, TWO], [ONE, TWO, Row(status=7, bk_host_id=5, ip="10.0.0.2", container_id=8)]],
        [["0:10.0.0.1 None>7", "0:10.0.0.2 None>7"], ["0:10.0.0.2 None>7"]],
        hosts=3,
    ),
}


@pytest.mark.parametrize("count", OTHERS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rows_are_one_host_or_several(case: Case, count: int) -> None:
    """By all names that any response gave, among few hosts and among many."""
    state = job_state(STEP)
    apply(state, 0.5, step(2, others(count)))

    told = [
        sorted(texts(apply(state, n, step(2, [*rows, *others(count)], complete=n - 1 not in case.parts))))
        for n, rows in enumerate(case.shown, 1)
    ]

    assert told == [sorted(each) for each in case.told]
    assert len(hosts_in(state)) == case.hosts + count


def test_an_address_without_a_cloud_area_is_in_area_0() -> None:
    """A row by id adds it; a row by that address in area 0 is the same host."""
    state = job_state(STEP)
    apply(state, 0, step(2, [Row(status=7, bk_host_id=1), Row(status=7, bk_host_id=2)]))
    apply(state, 1, step(2, [Row(status=5, bk_host_id=1, bk_cloud_id=None, ip="10.0.0.1")]))

    told = texts(apply(state, 2, step(2, [Row(status=9, bk_cloud_id=0, ip="10.0.0.1")])))

    assert told == ["0:10.0.0.1 5>9"]
    assert len(hosts_in(state)) == 2


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 9), st.sampled_from(["id", "ip", "both"]), st.sampled_from([5, 7, 9])),
            unique_by=lambda row: row[0],
        ),
        max_size=6,
    ),
    st.sampled_from(OTHERS[:2]),
)
def test_whatever_names_rows_give_no_host_is_met_twice(
    looks: list[list[tuple[int, str, int]]], count: int
) -> None:
    """Once both names of a host were seen together, either leads to it."""
    state, everybody = job_state(STEP), [host(n, 5) for n in range(1, 11)]
    apply(state, 0, step(2, [*everybody, *others(count)]))
    known = dict.fromkeys(range(10), 5)
    for now, rows in enumerate(looks, 1):
        named = [
            evolve(
                everybody[n],
                status=code,
                bk_host_id=None if how == "ip" else everybody[n].bk_host_id,
                ip=None if how == "id" else everybody[n].ip,
            )
            for n, how, code in rows
        ]
        told = texts(apply(state, now, step(2, [*named, *others(count)])))
        moved = {n: code for n, _, code in rows if known[n] != code}

        assert sorted(told) == sorted(f"0:10.0.0.{n + 1} {known[n]}>{code}" for n, code in moved.items())
        known |= moved

    assert len(hosts_in(state)) == 10 + count


CODES = [5, 7, 7, 7, 9, 9, 9, 104, 403, *RARE_CODES]


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from([1, 3, 17, 80, 300]), st.data())
def test_responses_say_what_a_dictionary_would(size: int, data: st.DataObject) -> None:
    """Events, and all that is known of the hosts, over many responses: flat and in groups, in any order, whole and in part."""
    state, known = job_state(STEP), dict[int, int]()
    everybody = range(1, size + 1)
    # Rare codes take a way of their own, so some histories have none.
    code = st.sampled_from(CODES if data.draw(st.booleans()) else CODES[: -len(RARE_CODES)])
    for now in range(1, 6):
        few = data.draw(st.dictionaries(st.sampled_from(everybody), code, max_size=5))
        goes_on = bool(known) and data.draw(st.booleans())
        shown = {**(known if goes_on else dict.fromkeys(everybody, data.draw(code))), **few}
        if data.draw(st.booleans()):
            shown = dict(data.draw(st.permutations(list(shown.items()))))
        if now > 1 and data.draw(st.booleans()):
            shown = {n: shown[n] for n in list(shown)[: data.draw(st.integers(1, size))]}
        rows = [Row(status=each, bk_host_id=n, exit_code=n) for n, each in shown.items()]
        view = step(2, rows)
        if data.draw(st.booleans()):
            view = replace(view, groups=grouped(rows))

        events = apply(state, now, view)

        assert {
            e.host.bk_host_id: (e.before.code if e.before else None, e.after.code, e.exit_code)
            for e in events
        } == {
            n: (known.get(n), each, None if each in UNFINISHED_HOST_CODES else n)
            for n, each in shown.items()
            if known.get(n) != each
        }
        assert len(events) == len({e.host for e in events})
        known |= shown
        found = hosts_in(state)
        assert {h.host.bk_host_id: h.status.code for h in found} == known
        assert [h.exit_code for h in found if h.status.is_finished and not h.status.is_success] == [
            h.host.bk_host_id for h in found if h.status.is_finished and not h.status.is_success
        ]
        assert count_hosts(state, STEP) == Counter(host_status(each).phase for each in known.values())


@pytest.mark.parametrize("count", OTHERS)
def test_more_strange_codes_than_a_byte_can_name_are_kept(count: int) -> None:
    """A platform gone mad costs memory, not truth."""
    state, before = job_state(STEP), 7
    apply(state, 0, step(2, [host(1, 7), *others(count)]))
    for now, code in enumerate([*STRANGE_CODES, *RARE_CODES, RARE_CODES[-1], 7], 1):
        told = texts(apply(state, now, step(2, [host(1, code), *others(count)])))

        assert told == ([] if code == before else [f"0:10.0.0.1 {before}>{code}"])
        before = code


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize(
    ("rows", "speaker"),
    [
        # The batch that ended worst.
        ([(9, 0, "ok"), (104, 3, "bad"), (9, 0, "fine")], 1),
        ([(403, None, ""), (104, 3, "bad"), (9, 0, "fine")], 1),
        # A failure, whatever goes on.
        ([(7, None, ""), (104, 3, "bad"), (5, None, "")], 1),
        # One that runs before one that waits, and both before success.
        ([(9, 0, "ok"), (7, None, ""), (5, None, "")], 1),
        # Of equal ones the larger exit code, then the tag: a response in another order says the same.
        ([(104, 1, "z"), (104, 3, "a"), (104, 3, "b")], 2),
        ([(9, 0, "b"), (9, 0, "a"), (9, None, "c")], 0),
    ],
)
@pytest.mark.parametrize("is_grouped", [False, True])
def test_the_row_that_ended_worst_speaks_for_its_host(
    order: tuple[int, ...], rows: list[tuple[int, int | None, str]], speaker: int, *, is_grouped: bool
) -> None:
    """Its status, exit code and tag; the row of another batch says nothing."""
    listed = [Row(status=status, bk_host_id=1, exit_code=code, tag=tag) for status, code, tag in rows]
    shown = [*(listed[n] for n in order), host(2, 9)]
    view = step(2, shown)
    view = replace(view, groups=grouped(shown)) if is_grouped else view
    state = job_state(STEP)
    apply(state, 0, view)

    (told,) = apply(state, 1, view)

    assert (told.host.bk_host_id, told.after.code, told.exit_code, told.tag) == (1, *rows[speaker])


def test_a_batch_that_was_left_out_is_not_over() -> None:
    """A host of two batches that stands once has not lost one of them; only when it stays so it has."""
    state = job_state(STEP)
    told = [
        texts(apply(state, now, step(2, rows)))
        for now, rows in enumerate(
            [
                *[[host(1, 9), host(1, 7)]] * 2,
                [host(1, 9)],
                [host(2, 9)],
                [host(1, 9)],
            ]
        )
    ]

    assert told == [[], ["0:10.0.0.1 None>7"], [], ["0:10.0.0.2 None>9"], ["0:10.0.0.1 7>9"]]


def test_a_batch_that_is_counted_but_not_listed_is_not_over_however_often() -> None:
    """A list shorter than its group left somebody out: a host of two batches that stands once may be that one."""
    both = (
        GroupPollView(status=7, size=1, rows=[host(1, 7)]),
        GroupPollView(status=9, size=1, rows=[host(1, 9)]),
    )
    cut = (GroupPollView(status=7, size=1, rows=[]), both[1])
    view = step(2, [])
    state = job_state(STEP)
    told = [
        texts(apply(state, now, replace(view, groups=groups)))
        for now, groups in enumerate([both, both, cut, cut, cut, both])
    ]

    assert told == [[], ["0:10.0.0.1 None>7"], [], [], [], []]
