"""Changes of hosts in columns, and details of failed hosts."""

from weakref import ref

from msgspec.structs import replace

from bkjob_async.engine.host_table.changes import NO_CHANGES, StatusChange, StatusChanges
from bkjob_async.engine.host_table.failure_details import FailureDetails
from tests.engine.poll_views import Row, details, host


def moves(*numbers: int) -> StatusChanges:
    """Return moves of these hosts."""
    return StatusChanges(numbers, [7] * len(numbers), [9] * len(numbers), [host(n, 9) for n in numbers])


def test_columns_are_like_a_list_of_moves() -> None:
    """Length, order, places, slices and sums are those of the list."""
    listed = [StatusChange(n, 7, 9, host(n, 9)) for n in (3, 1, 2)]

    assert (list(moves(3, 1, 2)), len(moves(3, 1, 2))) == (listed, 3)
    assert (moves(3, 1, 2)[1], list(moves(3, 1, 2)[1:])) == (listed[1], listed[1:])
    assert list(moves(3) + moves(1, 2)) == listed
    assert [list(NO_CHANGES + moves(3)), list(moves(3) + NO_CHANGES)] == [listed[:1]] * 2


class Answer:
    """A response that names rows, and is held on to by whoever may ask it to."""

    def __init__(self) -> None:
        self.asked = 0

    def named(self, row: object) -> Row:
        """Return a row in full."""
        assert isinstance(row, Row)
        self.asked += 1
        return row


def test_a_response_is_held_for_failures_until_it_is_let_go() -> None:
    """What failed is read when requested, at the latest before the response goes."""
    answer, failures = Answer(), FailureDetails()
    failures.set_row(0, host(1, 104), answer.named, details)
    failures.set_row(1, host(2, 104), answer.named, details)
    assert (answer.asked, 0 in failures, 2 in failures) == (0, True, False)

    failures.discard([1, 2])
    failures.release_response()
    asked, gone = answer.asked, ref(answer)
    del answer

    assert (asked, gone()) == (1, None)
    assert (failures.get(0), failures.get(1)) == (details(host(1, 104)), None)


def test_what_is_said_later_of_a_failure_wins() -> None:
    """Exit codes arrive late; and what no response listed is all that its group says."""
    failures = FailureDetails()
    failures.set_inferred(0, details(host(1, 104)))
    failures.set_row(1, host(2, 104), Answer().named, details)
    failures.set_row(0, host(1, 105), Answer().named, details)
    failures.release_response()
    failures.set_inferred(1, details(host(2, 106)))

    found = [failures.get(0), failures.get(1)]

    assert [each.status.code for each in found if each is not None] == [105, 106]


def test_what_was_not_read_yet_does_not_come_back() -> None:
    """A row that waits to be read is forgotten when a later poll says less of its host."""
    failures = FailureDetails()
    failures.set_row(0, host(1, 104), Answer().named, details)
    failures.set_inferred(0, details(host(1, 106)))
    failures.release_response()

    said = failures.get(0)

    assert said is not None
    assert said.status.code == 106


def test_moves_are_found_by_where_they_went() -> None:
    """One code after the other, each in its order."""
    moved = StatusChanges([3, 1, 2, 0], [7] * 4, [104, 9, 103, 104], [None] * 4)

    assert [(move.place, move.after) for move in moved.ending_in([104, 103, 5])] == [
        (3, 104),
        (0, 104),
        (2, 103),
    ]


def test_each_failure_is_shown_by_who_read_its_row() -> None:
    """Two responses may be of two kinds, and name and read rows in two ways."""
    answers, failures = (Answer(), Answer()), FailureDetails()
    failures.set_row(0, host(1, 104), answers[0].named, details)
    failures.set_row(1, host(2, 104), answers[1].named, details)
    failures.set_row(2, host(3, 104), answers[1].named, lambda row: replace(details(row), tag="other"))
    reported = [failures.get(place) for place in range(3)]

    assert [said and (said.host.bk_host_id, said.tag) for said in reported] == [
        (1, ""),
        (2, ""),
        (3, "other"),
    ]
    assert [answer.asked for answer in answers] == [1, 2]
