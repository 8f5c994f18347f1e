"""The report as JUnit XML: a suite for each step, a test case for each of its hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import quoteattr

from attrs import frozen

from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable
from bkjob_async.report.figures import Figures, StepFigures, phase_of_job
from bkjob_async.report.hosts import code_name, order_of
from bkjob_async.report.phases import BAD, OPEN
from bkjob_async.report.reading.rows import HostRow, JobRow, facts_of

NEVER_BEGAN = "never began"


@frozen
class Case:
    """A test case: *kind* is `failure`, `error`, `skipped` or "" for success."""

    name: str
    group: str
    seconds: float | None = None
    kind: str = ""
    message: str = ""
    type: str = ""

    def xml(self) -> str:
        """Return its element."""
        time = f"{self.seconds or 0.0:.3f}"
        begin = f'<testcase name={attribute(self.name)} classname={attribute(self.group)} time="{time}"'
        if not self.kind:
            return f"{begin}/>\n"
        type_of = f" type={attribute(self.type)}" if self.type else ""
        return f"{begin}><{self.kind} message={attribute(self.message)}{type_of}/></testcase>\n"


@frozen
class Suite:
    """A suite of test cases, its *seconds*, and when it began (seconds after the begin of the run)."""

    name: str
    cases: tuple[Case, ...]
    seconds: float = 0.0


def junit_of(figures: Figures) -> Iterator[str]:
    """Yield the XML, suite by suite.

    A host that failed is a failure; one that did not end, and a target that was lost, is an error. A step without hosts
    is one test case. A step that never began is skipped. A job that failed without a failed host is a failure in a suite of
    its own.
    """
    suites = [*map(suite_of, figures.steps), *suites_of_jobs(figures)]
    began = (
        "" if figures.began is None else f' timestamp="{figures.began.isoformat(timespec="seconds")[:19]}"'
    )
    totals = counts_of([case for suite in suites for case in suite.cases])
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield f'<testsuites name={attribute(figures.title)} {totals} time="{figures.seconds:.3f}">\n'
    for suite in suites:
        counts = counts_of(suite.cases)
        yield f'<testsuite name={attribute(suite.name)} {counts} time="{suite.seconds:.3f}"{began}>\n'
        yield from (case.xml() for case in suite.cases)
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def counts_of(cases: Sequence[Case]) -> str:
    """Return the attributes that count test cases, all of them and by kind."""
    kinds = Counter(case.kind for case in cases)
    names = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    return " ".join([f'tests="{len(cases)}"', *(f'{name}="{kinds[kind]}"' for name, kind in names)])


def suite_of(step: StepFigures) -> Suite:
    """Return the suite of a step."""
    row, job = step.row, step.job
    group = f"{job.name or job.key}.{row.name or row.key}"
    hosts = sorted(row.hosts.items(), key=lambda item: order_of(item[0]))
    if has_never_begun(step):
        cases = [
            Case(label, group, None, "skipped", NEVER_BEGAN) for label in dict(hosts) or [row.name or row.key]
        ]
    else:
        cases = [host_case(label, host, group) for label, host in hosts]
    if not cases:
        status = "" if row.status is None else row.status.name
        cases = [phase_case(row.name or row.key, group, step.phase, status, step.took)]
    return Suite(f"{job.name or job.key}: {row.name or 'step'} ({row.key})", tuple(cases), step.took or 0.0)


def has_never_begun(step: StepFigures) -> bool:
    """Return whether a step is over as it was before its turn, since its job ended in an earlier one."""
    is_over = step.row.is_finished or step.job.is_finished
    return is_over and step.phase is Phase.PENDING


def host_case(label: str, host: HostRow, group: str) -> Case:
    """Return the test case of a host."""
    facts, name = facts_of(host.code), code_name(host.code)
    if not facts.is_finished:
        return Case(label, group, None, "error", f"did not end: {name}", "unfinished")
    if not facts.is_failed:
        return Case(label, group, host.took)
    parts = [name]
    if host.exit_code is not None:
        parts.append(f"exit code {host.exit_code}")
    if host.tag:
        parts.append(f"tag {host.tag}")
    return Case(label, group, host.took, "failure", ", ".join(parts), name)


def phase_case(name: str, group: str, phase: Phase, status: str, seconds: float | None) -> Case:
    """Return the test case of something that has a phase and no hosts."""
    if phase in BAD:
        return Case(name, group, seconds, "failure", status, status)
    if phase in OPEN or phase is Phase.UNKNOWN:
        return Case(name, group, seconds, "error", f"did not end: {status or phase}", "unfinished")
    if phase is Phase.SKIPPED:
        return Case(name, group, seconds, "skipped", status)
    return Case(name, group, seconds)


def suites_of_jobs(figures: Figures) -> Iterable[Suite]:
    """Yield a suite for jobs of which no step shows how they ended, and one for lost targets."""
    alone = [job_case(job) for job in (*figures.failed_alone, *figures.waiting)]
    if alone:
        yield Suite("jobs", tuple(alone))
    if figures.lost:
        lost = (Case(ref, "lost", None, "error", reason, "lost") for ref, reason in figures.lost.items())
        yield Suite("lost targets", tuple(lost))


def job_case(job: JobRow) -> Case:
    """Return the test case of a job."""
    status = "" if job.status is None else job.status.name
    return phase_case(job.key, job.name or job.key, phase_of_job(job), status, job.took)


def attribute(text: str) -> str:
    """Return *text* as a quoted value of an attribute; XML allows no control character at all."""
    return quoteattr(printable(text))
