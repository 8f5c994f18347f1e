"""What notebooks show of results and snapshots."""

from html.parser import HTMLParser

import pytest

import bkjob_async as bkjob
from bkjob_async.model.status import host_status, run_status

REF = bkjob.JobRef(bkjob.Scope.biz(2), 100)
HOSTILE = "<script>alert(1)</script>\u202e&\"'" * 50


def step(number: int, text: str, hosts: int) -> bkjob.StepResult:
    """Return a step whose hosts all failed, with *text* wherever the platform's users write."""
    failed = tuple(
        bkjob.HostSnapshot(host=bkjob.HostKey(bk_host_id=n + 1), status=host_status(11), tag=text)
        for n in range(hosts)
    )
    return bkjob.StepResult(
        ref=REF.step(number),
        status=run_status(4),
        is_finished=True,
        name=text,
        hosts=dict.fromkeys(bkjob.Phase, 10_000_000),
        failed=failed,
    )


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Keep a tag."""
        self.seen.add(tag)


@pytest.mark.parametrize("text", ["deploy", HOSTILE])
def test_a_large_result_is_a_small_page(text: str) -> None:
    """At most 20 failed hosts and 20 kB, whatever names and tags are; nothing of them is markup."""
    result = bkjob.JobResult(
        ref=REF, status=run_status(4), name=text, steps=tuple(step(n + 1, text, 100) for n in range(50))
    )
    shown = [result._repr_html_(), result.steps[0]._repr_html_()]

    for page in shown:
        tags = Tags()
        tags.feed(page)
        assert tags.seen <= {"p", "b", "br", "table", "thead", "tbody", "tr", "th", "td"}
        assert page.count("<td>SCRIPT_NOT_ZERO_EXIT_CODE</td>") <= 20 < page.count("<tr>")
        assert len(page.encode()) <= 20_000
        assert "\u202e" not in page
    assert "and 4980 more hosts that did not succeed" in shown[0]
    assert "and 40 more steps" in shown[0]


def test_a_snapshot_counts_its_hosts() -> None:
    """By phase, over all steps."""
    host = bkjob.HostSnapshot(host=bkjob.HostKey(bk_host_id=1), status=host_status(9))
    one = bkjob.StepSnapshot(ref=REF.step(1), status=run_status(3), is_finished=True, hosts=(host, host))
    job = bkjob.JobSnapshot(ref=REF, status=run_status(3), is_finished=True, steps=(one, one))

    assert "2 SUCCESS" in one._repr_html_()
    assert "4 SUCCESS" in job._repr_html_()
    assert "<td>2:100/1</td>" in job._repr_html_()
