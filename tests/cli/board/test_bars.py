"""Bars and the widths of texts."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async import Phase
from bkjob_async.cli.board.drawing.signs import ASCII, UNICODE, bar, cells
from bkjob_async.cli.board.drawing.spans import cells_of, fitted, fitted_line, width_of
from bkjob_async.report.phases import BAR_ORDER, OPEN

COUNTS = st.lists(st.one_of(st.just(0), st.integers(0, 20), st.integers(0, 100_000)), min_size=1, max_size=11)
HOSTS = st.dictionaries(st.sampled_from(Phase), st.integers(0, 100_000))
TEXTS = st.text(st.sampled_from("ab é发布…🚀"), max_size=30)


@given(COUNTS, st.integers(0, 200))
def test_the_cells_fill_the_width_and_no_count_is_rounded_to_nothing(counts: list[int], width: int) -> None:
    """As long as there are cells for all of them; else the first ones have them."""
    shares = cells(counts, width)

    assert sum(shares) == (width if any(counts) else 0)
    assert all(share == 0 for share, count in zip(shares, counts, strict=True) if not count)
    present = [share for share, count in zip(shares, counts, strict=True) if count]
    assert present == sorted(present, reverse=True) if len(present) > width else all(present) or not width


@given(COUNTS, st.integers(1, 200))
def test_a_share_is_close_to_its_proportion(counts: list[int], width: int) -> None:
    """Within one cell, but for the cells that small counts are given."""
    shares, total = cells(counts, width), sum(counts)
    present = sum(map(bool, counts))

    for share, count in zip(shares, counts, strict=True):
        assert not total or abs(share - count * width / total) <= max(1.0, present)


@given(HOSTS, st.integers(11, 60), st.sampled_from([UNICODE, ASCII]))
def test_a_bar_shows_failures_and_is_full_only_when_all_is_over(
    hosts: dict[Phase, int], width: int, signs: object
) -> None:
    """A failure in 10 000 hosts has a cell, and so has the last host that is not over."""
    spans = bar(hosts, width, UNICODE if signs is UNICODE else ASCII)

    assert width_of(spans) == width
    roles = {role for _, role in spans}
    for phase in BAR_ORDER:
        assert (phase.value in roles) == bool(hosts.get(phase))
    assert any(phase.value in roles for phase in OPEN) == any(hosts.get(phase) for phase in OPEN)


def test_the_examples_that_must_not_be_rounded_away() -> None:
    """One failure of 10 000, and 9 999 of 10 000."""
    failed = bar({Phase.FAILED: 1, Phase.SUCCESS: 9_999}, 30, UNICODE)
    nearly = bar({Phase.SUCCESS: 9_999, Phase.RUNNING: 1}, 30, UNICODE)

    assert failed == [("✗", "FAILED"), ("━" * 29, "SUCCESS")]
    assert nearly == [("━" * 29, "SUCCESS"), ("╍", "RUNNING")]


def test_each_phase_has_signs_of_its_own() -> None:
    """In Unicode and in ASCII."""
    for signs in (UNICODE, ASCII):
        for table in (signs.of, signs.bar):
            assert len(set(table.values())) == len(Phase)
            assert all(cells_of(sign) == 1 for sign in table.values())
    assert "".join(UNICODE.of.values()) == "·▸?↓✓✗»≈■!¿"
    assert "".join([*ASCII.of.values(), *ASCII.bar.values()]).isascii()


@given(TEXTS, st.integers(0, 40))
def test_a_fitted_text_has_its_width(text: str, width: int) -> None:
    """Also where a character takes two cells, or none."""
    assert cells_of(fitted(text, width)) == width
    assert cells_of(fitted(text, width, right=True)) == width


@given(st.lists(st.tuples(TEXTS, st.just("dim")), max_size=5), st.integers(0, 60))
def test_a_fitted_line_is_never_wider(spans: list[tuple[str, str]], width: int) -> None:
    """It is cut, or stays as it is."""
    line = fitted_line(spans, width)

    assert width_of(line) <= width
    if width_of(spans) <= width:
        assert "".join(text for text, _ in line) == "".join(text for text, _ in spans)
