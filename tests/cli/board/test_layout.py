"""What the views draw: sizes, columns, what is left out, and pictures of whole screens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async import (
    Batch,
    HostKey,
    HostPage,
    HostSnapshot,
    HostStatus,
    Lost,
    LostReason,
    Phase,
    Trouble,
    UsageError,
)
from bkjob_async.cli.board.drawing.signs import ASCII, UNICODE, Signs
from bkjob_async.cli.board.drawing.spans import width_of
from bkjob_async.cli.board.model import BoardModel
from bkjob_async.cli.board.views.head import HeadFigures, head_lines
from bkjob_async.cli.board.views.hosts_view import HostsView
from bkjob_async.cli.board.views.jobs_view import JobsView
from bkjob_async.cli.board.views.log_view import LAST_BYTES, LogView, visible_lines
from bkjob_async.cli.board.views.rows import columns_for
from bkjob_async.cli.board.views.views import TextView, View, help_lines
from bkjob_async.report.times import short_clock
from tests.cli.board.samples import applied, changed, failure, finished, job_ref, sample_model, text_of

HERE = Path(__file__).parent
SIZES = st.tuples(st.integers(1, 220), st.integers(1, 70))


def figures_of(model: BoardModel, **changes: object) -> HeadFigures:
    """Return figures of a board at work."""
    figures = HeadFigures(
        over=model.totals["over"],
        targets=len(model.rows),
        with_failures=model.totals["with_failures"],
        waiting=model.totals["waiting"],
        lost=model.totals["lost"],
        hosts=model.hosts,
        hosts_per_second=17.1,
        ends_in=34.0,
        elapsed=75.0,
        requests_per_second=19.6,
        budget=20.0,
        oldest_unseen=2.4,
        limit="gateway quota",
        in_trouble=0,
    )
    for name, value in changes.items():
        object.__setattr__(figures, name, value)
    return figures


def jobs_view(
    model: BoardModel, signs: Signs = UNICODE, *, read_only: bool = False, **changes: object
) -> JobsView:
    """Return the first view of a board."""
    return JobsView(model, lambda: figures_of(model, **changes), signs, read_only=read_only)


def host_page(after: str | None, limit: int) -> HostPage:
    """Return a page of a thousand hosts."""
    begin = int(after or 0)
    hosts = tuple(
        (
            job_ref(0).step(30_000_000_000 + n % 2),
            HostSnapshot(
                host=HostKey(bk_cloud_id=0, ip=f"10.1.{n // 256}.{n % 256}"),
                status=HostStatus(104 if n < 3 else 9),
                tag="port in use" if n < 3 else None,
                exit_code=1 if n < 3 else None,
            ),
        )
        for n in range(begin, min(begin + limit, 1_000))
    )
    end = begin + limit
    return HostPage(hosts=hosts, total=1_000, after=str(end) if end < 1_000 else None)


def views(signs: Signs) -> list[View]:
    """Return every view, with something in it."""
    model = sample_model()
    log = LogView(job_ref(0).step(1), HostKey(ip="10.0.0.1", bk_cloud_id=0), signs)
    log.set_text("line\n" * 500 + "x" * 500)
    return [
        jobs_view(model, signs),
        HostsView(model.rows[job_ref(0)], host_page, signs),
        log,
        TextView("help", lambda: help_lines(signs, read_only=False), signs),
    ]


ALL_VIEWS = {signs.is_ascii: views(signs) for signs in (UNICODE, ASCII)}


@settings(max_examples=150, deadline=None)
@given(SIZES, st.sampled_from([UNICODE, ASCII]), st.integers(0, 3))
def test_a_view_fills_any_terminal_and_is_never_wider(
    size: tuple[int, int], signs: Signs, number: int
) -> None:
    """From one cell up."""
    lines = ALL_VIEWS[signs.is_ascii][number].draw(*size, now=20.0)

    assert len(lines) == size[1]
    assert all(width_of(line) <= size[0] for line in lines)
    if signs.is_ascii:
        assert text_of(lines).isascii()


def test_a_small_terminal_has_a_head_of_three_lines_fourteen_jobs_and_two_failures() -> None:
    """And the keys, at 80x24."""
    lines = text_of(jobs_view(sample_model()).draw(80, 24, 20.0)).split("\n")
    jobs = [line for line in lines if re.match(r"^[ ▌].[ ]deploy app", line) and "/" in line]
    failures = [
        line for line in lines if "SCRIPT_NOT_ZERO_EXIT_CODE" in line or "AGENT_NOT_INSTALLED" in line
    ]

    assert len(jobs) >= 14
    assert len(failures) == 2
    assert "exit 1" in "".join(failures)
    assert "port in use" in "".join(failures)
    assert all(
        key in lines[-1]
        for key in ("hosts", "retry", "failed only", "find", "explain", "pause", "help", "leave")
    )
    assert "20 requests/s" in lines[2]
    assert "oldest unseen 2.4 s" in lines[2]
    assert "~0:34" in lines[0]


def test_names_come_before_ids_and_columns_are_aligned() -> None:
    """The id is the first column to go, the bar and the name the last."""
    rows = sample_model().ordered()
    wide, narrow, tiny = (columns_for(rows, width) for width in (200, 80, 30))

    assert wide.keys() >= {"id", "state", "step"}
    assert narrow.keys() >= {"failed", "time", "left"}
    assert wide["hosts"] == 40
    assert narrow["hosts"] >= 20
    assert narrow["target"] >= 16
    assert tiny["target"]
    assert "id" not in narrow
    assert tiny.keys().isdisjoint({"id", "step"})
    lines = text_of(jobs_view(sample_model()).draw(200, 60, 20.0)).split("\n")
    assert len({line.index("/10") for line in lines if "/10 " in line}) <= 2


@pytest.mark.parametrize("name", ["80x24", "200x60", "20x5"])
@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_whole_screens_are_these(name: str, signs: Signs) -> None:
    """Compared with texts that were looked at; `python -m tests.cli.board.test_layout` writes them anew."""
    shown = text_of(screen(name, signs))

    assert shown == (HERE / "screens" / f"{name}-{signs_name(signs)}.txt").read_text(encoding="utf-8").rstrip(
        "\n"
    )


def screen(name: str, signs: Signs) -> list:  # type: ignore[type-arg]
    """Return the lines of a sample board at a size."""
    width, _, height = name.partition("x")
    return jobs_view(sample_model(), signs).draw(int(width), int(height), 20.0)


def signs_name(signs: Signs) -> str:
    """Return how files are named after signs."""
    return "ascii" if signs.is_ascii else "unicode"


# What is left out ----------------------------------------------------------------------------------------------------


def press(view: View, *keys: str) -> None:
    """Press keys by name."""
    for key in keys:
        view.press(key, key if len(key) == 1 else "")


def test_what_is_left_out_is_counted() -> None:
    """Above, below, by `f`, and by `/`."""
    view = jobs_view(sample_model())
    first = text_of(view.draw(80, 24, 0.0))
    press(view, "end")
    last = text_of(view.draw(80, 24, 0.0))
    press(view, "f", "slash", *"APP-1", "enter")
    some = text_of(view.draw(80, 24, 0.0))
    press(view, "escape")
    everything = text_of(view.draw(80, 24, 0.0))

    assert "1-16 of 60, 44 more below" in first
    assert "45-60 of 60, 44 more above" in last
    assert re.search(r"1-\d+ of \d+; \d+ left out by /APP-1 and failed only", some)
    assert "left out" not in everything


def test_failed_only_leaves_out_no_target_with_failures() -> None:
    """Also where the platform calls the job a success: the head counts it, too."""
    model = BoardModel()
    model.set_targets([job_ref(1), job_ref(2)])
    hosts = {Phase.SUCCESS: 9, Phase.FAILED: 1}
    applied(model, 1, changed(1, Phase.SUCCESS, "ignores one"), finished(1, Phase.SUCCESS, 9.0), hosts=hosts)
    applied(model, 2, changed(2, Phase.RUNNING, "fine"), hosts={Phase.RUNNING: 9})
    view = jobs_view(model)
    press(view, "f")
    shown = text_of(view.draw(80, 24, 0.0))

    assert "1 with failures" in shown
    assert "ignores one" in shown
    assert "1 left out by failed only" in shown


def test_the_target_that_keys_are_about_is_marked() -> None:
    """From the beginning; and the next one after a step down."""
    view = jobs_view(sample_model())
    marked = []
    for key in ("x", "down", "down", "up"):
        press(view, key)
        shown = text_of(view.draw(80, 24, 0.0)).split("\n")
        marked.append([number for number, line in enumerate(shown) if line.startswith("▌")])

    assert marked == [[4], [5], [6], [5]]


def test_trouble_is_read_to_the_end_where_there_is_room() -> None:
    """The last column has what the others leave, and the colour of what needs a look."""
    model = sample_model(3)
    row = model.ordered()[0]
    message = "get_job_instance_status failed " * 2
    row.polling_trouble = Trouble(ref=row.ref, error="PlatformTrouble", message=message)
    lines = jobs_view(model).draw(200, 60, 20.0)

    assert row.trouble.strip() in text_of(lines)
    assert any(role == Phase.WAITING and "PlatformTrouble" in text for line in lines for text, role in line)


def test_a_running_target_with_failures_stands_out() -> None:
    """Its name and its sign have the colour of a failure, not that of a run."""
    model = BoardModel()
    model.set_targets([job_ref(1)])
    hosts = {Phase.RUNNING: 9, Phase.FAILED: 1}
    applied(model, 1, changed(1, Phase.RUNNING, "deploy"), hosts=hosts)
    line = next(line for line in jobs_view(model).draw(80, 24, 0.0) if "deploy" in text_of([line]))

    assert [role for _, role in line[1:3]] == [Phase.FAILED, "strong"]


def test_a_lost_target_says_why_on_any_terminal() -> None:
    """In place of its bar where there is no column for that, and above its hosts; the head counts it."""
    model = BoardModel()
    model.set_targets([job_ref(1), job_ref(2)])
    model.apply(Batch(1, (Lost(ref=job_ref(1), reason=LostReason.NOT_FOUND),)), {})
    applied(model, 2, changed(2, Phase.RUNNING, "deploy"), hosts={Phase.RUNNING: 9})
    hosts = HostsView(model.rows[job_ref(1)], lambda *_: HostPage(hosts=(), total=0), UNICODE)
    narrow, wide = (jobs_view(model).draw(width, 24, 0.0) for width in (80, 200))

    for shown in (narrow, wide):
        assert "¿ 1 lost" in text_of(shown[:1])
        assert text_of(shown).count("lost: not found") == 1
    assert "lost: not found" in text_of(hosts.draw(80, 24, 0.0))


def test_a_board_without_rows_says_so() -> None:
    """Where the rows would be, whatever message stands below them."""
    view = jobs_view(sample_model())
    view.say("a message")
    press(view, "slash", "q", "q")

    assert "  no target matches" in text_of(view.draw(80, 24, 0.0))


def test_a_text_to_find_is_edited() -> None:
    """Backspace takes a character back, Esc shows all again; nothing found is said so."""
    view = jobs_view(sample_model())
    press(view, "slash", "q", "f", "x")
    while_typing = text_of(view.draw(80, 24, 0.0))
    press(view, "backspace", "backspace", "backspace", *"zone 0", "enter")
    found = text_of(view.draw(80, 24, 0.0))

    assert "/qfx_" in while_typing
    assert "none; 60 left out by /qfx" in while_typing
    assert "of 40, 24 more below; 20 left out by /zone 0" in found


def test_a_message_is_shown_for_a_while() -> None:
    """In place of what is left out."""
    view = jobs_view(sample_model())
    view.say("the platform refuses\x1b[31m")

    assert "the platform refuses\\x1b[31m" in text_of(view.draw(80, 24, 5.0))
    assert "refuses" in text_of(view.draw(80, 24, 14.0))
    assert "refuses" not in text_of(view.draw(80, 24, 16.0))


def test_trouble_stands_in_the_head() -> None:
    """An outage before anything else; a pause is marked."""
    lines = text_of(
        head_lines(figures_of(sample_model(), outage="PlatformTrouble: 502", is_paused=True), 120, UNICODE)
    )

    assert "! the platform does not answer" in lines
    assert "PlatformTrouble: 502" in lines
    assert "PAUSED, polling goes on" in lines
    assert "held up by" not in lines


def test_names_of_the_platform_control_no_terminal() -> None:
    """Escapes are written out, wide characters take two cells, and ASCII terminals get ASCII."""
    model = BoardModel()
    model.set_targets([job_ref(1)])
    evil = "发布\x1b]0;x\x07\u202e"
    applied(model, 1, changed(1, Phase.RUNNING, evil), failure(1, 1, tag=evil), hosts={Phase.FAILED: 1})
    shown = text_of(jobs_view(model).draw(100, 24, 0.0))

    assert "发布\\x1b]0;x\\x07\\u202e" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert text_of(jobs_view(model, ASCII).draw(100, 24, 0.0)).isascii()


def test_a_read_only_board_has_no_retry() -> None:
    """Neither the key nor its help."""
    view = jobs_view(sample_model(), read_only=True)

    assert "retry" not in text_of(view.draw(80, 24, 0.0))
    assert view.press("r", "r") is None
    assert "retry" not in text_of(help_lines(UNICODE, read_only=True))


def test_the_help_fits_a_small_terminal() -> None:
    """With every key, every sign, and two notes."""
    shown = text_of(
        TextView("help", lambda: [(), (), *help_lines(UNICODE, read_only=False)], UNICODE).draw(80, 24, 0.0)
    )

    assert "~ is expected" in shown
    assert all(sign in shown for sign in UNICODE.of.values())


# Hosts and logs ------------------------------------------------------------------------------------------------------


def test_hosts_are_paged_at_their_ends() -> None:
    """Moving beyond the last host opens the next page, before the first one the page before."""
    view = HostsView(sample_model().rows[job_ref(0)], host_page, UNICODE)
    first = text_of(view.draw(80, 24, 0.0))
    press(view, "end", "down")
    second = text_of(view.draw(80, 24, 0.0))
    press(view, *["end", "end"] * 5)
    last = text_of(view.draw(80, 24, 0.0))
    press(view, "home", "end", "down", "up")
    back = text_of(view.draw(80, 24, 0.0))

    assert "hosts 1-19 of 1,000" in first
    assert "10.1.0.0" in first
    assert "hosts 201-219 of 1,000" in second
    assert "hosts 982-1,000 of 1,000" in last
    assert "hosts 182-200 of 1,000" in back


def test_a_page_whose_hosts_have_gone_elsewhere_is_the_page_before() -> None:
    """They moved to other places in the order."""
    pages = {None: 3, "3": 3}

    def read(after: str | None, limit: int) -> HostPage:
        hosts = host_page(None, pages[after]).hosts
        return HostPage(hosts=hosts, total=6, after="3" if after is None else None)

    view = HostsView(sample_model().rows[job_ref(0)], read, UNICODE)
    press(view, "end", "down")
    pages["3"] = 0
    view.refresh()

    assert "hosts 1-3 of 6" in text_of(view.draw(80, 24, 0.0))


def test_pages_of_a_target_that_was_added_again_begin_anew() -> None:
    """What the last page ended with is not known any more."""
    is_new = False

    def read(after: str | None, limit: int) -> HostPage:
        if is_new and after is not None:
            raise UsageError("no page of hosts ends there")
        return host_page(after, limit)

    view = HostsView(sample_model().rows[job_ref(0)], read, UNICODE)
    press(view, "end", "down")
    is_new = True
    view.refresh()

    assert "hosts 1-19 of 1,000" in text_of(view.draw(80, 24, 0.0))


def test_a_log_shows_its_end_and_what_it_leaves_out() -> None:
    """The last 64 KiB; scrolling up holds, the end follows."""
    text = "".join(f"line {n} \x1b[31mred\x1b[0m\r\n" for n in range(10_000))
    view = LogView(job_ref(0).step(1), HostKey(ip="10.0.0.1", bk_cloud_id=0), UNICODE)
    before = text_of(view.draw(120, 24, 0.0))
    view.set_text(text)
    end = text_of(view.draw(120, 24, 0.0))
    press(view, "pageup", "k", "right")
    up = text_of(view.draw(120, 24, 0.0))

    lines, left_out = visible_lines(text)
    assert "reading the log" in before
    assert "line 9999 \\x1b[31mred\\x1b[0m" in end
    assert f"the {left_out:,} bytes before them left out" in end
    assert "line 9999" not in up
    assert len(text.encode()) - left_out <= LAST_BYTES < len(text.encode()) - left_out + 40
    assert lines[0].startswith("line ")


def test_a_log_is_scrolled_by_lines_and_pages() -> None:
    """Each key by its own amount, and back by the opposite one."""
    view = LogView(job_ref(0).step(1), HostKey(ip="10.0.0.1", bk_cloud_id=0), UNICODE)
    view.set_text("".join(f"line {n}.\n" for n in range(100)))

    def last_line(*keys: str) -> int:
        press(view, *keys)
        return max(n for n in range(100) if f"line {n}." in text_of(view.draw(80, 24, 0.0)))

    last = last_line()
    moved = [last_line(*keys) - last for keys in (("up",), ("k",), ("down",), ("j",), ("pageup",), ("end",))]

    assert moved == [-1, -2, -1, 0, 3 - 24, 0]


@given(st.text(max_size=200))
def test_a_log_is_printable(text: str) -> None:
    """Whatever it holds."""
    lines, left_out = visible_lines(text)

    assert all(line.isprintable() for line in lines)
    assert left_out == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00"), (42, "0:42"), (723, "12:03"), (11_040, "3h04"), (183_600, "2d03h")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    """In at most five cells."""
    assert short_clock(seconds) == text


if __name__ == "__main__":
    for each in ("80x24", "200x60", "20x5"):
        for some in (UNICODE, ASCII):
            file = HERE / "screens" / f"{each}-{signs_name(some)}.txt"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text_of(screen(each, some)) + "\n", encoding="utf-8")
