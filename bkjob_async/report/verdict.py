"""The verdict on a run: one sign and one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import counted
from bkjob_async.report.phases import BAD, OPEN, SIGNS


@frozen
class Verdict:
    """A *phase*, which has a sign and a colour, a *sentence*, and what else is to be known (or "")."""

    phase: Phase
    sentence: str
    detail: str = ""

    @property
    def sign(self) -> str:
        """The sign of its phase."""
        return SIGNS[self.phase]


def verdict_of(hosts: Mapping[Phase, int], jobs: Mapping[Phase, int], failed: int, lost: int) -> Verdict:
    """Return the verdict on counts of hosts and jobs by phase, hosts that *failed* and targets that were *lost*.

    Its sentence is the one that matters most: the first that holds.
    """
    host_count, job_count, waiting = sum(hosts.values()), sum(jobs.values()), jobs.get(Phase.WAITING, 0)
    rest = host_count - hosts.get(Phase.SUCCESS, 0)
    unfinished, bad = (sum(jobs.get(phase, 0) for phase in phases) for phases in (OPEN, BAD))
    sentences = (
        (failed, Phase.FAILED, f"{failed:,} of {counted_large(host_count, 'host')} failed"),
        (bad, Phase.FAILED, f"{bad:,} of {counted_large(job_count, 'job')} failed"),
        (not job_count, Phase.UNKNOWN, "No job was seen"),
        (waiting, Phase.WAITING, "A person must act before all jobs can go on"),
        (unfinished, Phase.RUNNING, f"{counted_large(unfinished, 'job')} not over, none has failed"),
        (rest, Phase.UNKNOWN, f"{counted_large(rest, 'host')} of {host_count:,} did not end"),
        (lost, Phase.UNKNOWN, f"{counted_large(lost, 'target')} lost, all others succeeded"),
        (host_count > 1, Phase.SUCCESS, f"All {counted_large(host_count, 'host')} succeeded"),
        (host_count, Phase.SUCCESS, "1 host succeeded"),
        (job_count > 1, Phase.SUCCESS, f"All {counted_large(job_count, 'job')} succeeded"),
        (True, Phase.SUCCESS, "The job succeeded"),
    )
    phase, sentence = next((phase, sentence) for holds, phase, sentence in sentences if holds)
    details = (
        (unfinished, f"{job_count - unfinished:,} of {counted_large(job_count, 'job')} over"),
        (failed and not bad and not unfinished, "all jobs succeeded: their errors were ignored"),
        (waiting, f"{counted(waiting, 'job')} {'waits' if waiting == 1 else 'wait'} for a person"),
        (lost, f"{counted(lost, 'target')} lost, their end is unknown"),
    )
    return Verdict(phase, sentence, "; ".join(detail for holds, detail in details if holds))


def counted_large(count: int, noun: str) -> str:
    """Return a number, with separators of thousands, and its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
