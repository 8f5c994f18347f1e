"""A reader that applies every message has the state, wherever it began."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.cli.live_page.page_state import MAX_GONE, PageState

keys = st.sampled_from([f"2:{n}" for n in range(1, 6)])
changes = st.lists(
    st.tuples(st.dictionaries(keys, st.integers(0, 9), max_size=3), st.sets(keys, max_size=2), st.booleans()),
    max_size=12,
)


def reported(pieces: Iterable[bytes]) -> tuple[str, dict[str, Any]]:
    """Return the id and the data of an event."""
    lines = b"".join(pieces).decode().split("\n")
    assert lines[2:] == ["", ""]
    return lines[0].removeprefix("id: "), json.loads(lines[1].removeprefix("data: "))


class Reader:
    """What the page's script does with messages."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.failures: list[int] = []
        self.id = ""

    def read(self, state: PageState) -> None:
        """Take the next message."""
        self.id, data = reported(state.message_after(state.revision_of(self.id)))
        if data["full"]:
            self.rows, self.failures = {}, []
        self.rows |= {row["ref"]: row["value"] for row in data["rows"]}
        for key in data["gone"]:
            self.rows.pop(key, None)
        self.failures = data.get("failures", self.failures)


@given(changes, st.lists(st.booleans(), max_size=12))
def test_messages_add_up_to_the_state(
    changes: list[tuple[dict[str, int], set[str], bool]], read: list[bool]
) -> None:
    """Read after each change or seldom, from the beginning or from an id, also after the process was another one."""
    state, often, seldom = PageState("a"), Reader(), Reader()
    rows: dict[str, int] = {}
    failures: list[int] = []
    for number, (changed, gone, failed) in enumerate(changes):
        rows |= changed
        rows = {key: value for key, value in rows.items() if key not in gone}
        if failed:
            failures = [number, *failures]
        state.update(
            {"now": number},
            {key: {"ref": key, "value": value, "order": [value]} for key, value in changed.items()},
            gone=gone,
            failures=failures if failed else None,
        )
        often.read(state)
        if number < len(read) and read[number]:
            seldom.read(state)
            assert seldom.rows == rows
    late = Reader()
    late.id = "another process.3"
    for reader in (often, seldom, late):
        reader.read(state)
        assert (reader.rows, reader.failures) == (rows, failures)


def test_a_message_has_what_changed_and_no_more() -> None:
    """One row of a thousand."""
    state = PageState("a")
    state.update({}, {f"2:{n}": {"ref": f"2:{n}", "value": 1, "order": [n]} for n in range(1000)})
    first = state.revision
    state.update({}, {"2:7": {"ref": "2:7", "value": 2, "order": [7]}})
    _, data = reported(state.message_after(first))

    assert data["rows"] == [{"ref": "2:7", "value": 2, "order": [7]}]
    assert data["full"] is False
    assert "failures" not in data


def test_who_is_too_far_behind_is_sent_everything() -> None:
    """Rows that went away are not remembered for ever."""
    state = PageState("a")
    state.update({}, {"2:0": {"order": []}})
    state.update({}, {}, gone=["2:0"])
    for number in range(1, MAX_GONE + 1):
        state.update({}, {f"2:{number}": {"order": []}})
        state.update({}, {}, gone=[f"2:{number}"])

    assert state.revision_of("a.1") == 0
    assert state.revision_of(f"a.{state.revision}") == state.revision


@given(st.text(max_size=20))
def test_a_strange_id_means_the_beginning(event_id: str) -> None:
    """It comes from a browser, and may be anything."""
    state = PageState("a")
    state.update({}, {})

    assert state.revision_of(event_id) in {0, 1}


def test_text_stays_within_its_line() -> None:
    """No name ends an event, or begins another."""
    state = PageState("a")
    state.update({"x": "\n\ndata: evil\r\u2028"}, {"k": {"ref": "k", "value": "\r\n\nid: 9", "order": []}})

    assert reported(state.message_after(0))[1]["head"] == {"x": "\n\ndata: evil\r\u2028"}
