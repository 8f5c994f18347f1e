"""Statistics of how long runs of the same name took, for a bounded number of names."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import exp, isfinite, log, sqrt
from typing import Annotated, Any

from msgspec import Meta, Struct, ValidationError, convert

from bkjob_async.engine.scheduling.end_prediction import EndPrediction, LogNormal
from bkjob_async.errors import UsageError
from bkjob_async.model.refs import Scope

VERSION = 1
KEYS = 10_000
# Shorter durations cannot be distinguished; longer ones than two months are errors.
SHORTEST, LONGEST = 0.1, 60 * 86_400.0

# The assumption before the first duration: half of all runs take less than 30 s, one in a hundred more than
# 20 minutes. It has the weight of a few runs.
ALL_RUNS = (8.0, log(30.0), 8.0 * 1.586**2)
WITHIN_VARIANCE = (10.0, 10.0 * 0.4**2)
DOUBT = 0.05

MEMORY = 50.0
MEMORY_OF_ALL = 1000.0
NARROWEST, WIDEST = 0.05, 3.0
OWN_SPREAD_WEIGHT = 3.0
# A run further away from the others than this many spreads counts as if it were exactly so far away. Two of
# them in a row, on the same side, are a change: they count in full, and all earlier runs together as much as
# one.
OUTLIER_SPREADS = 2.0

# Names often end in a date or a serial number; runs whose names differ in nothing else have the same
# statistics.
STAMP = re.compile(r"\d{4,}(?:[-_:. T/]?\d{1,2})*")

Key = tuple[Scope, str, str | None]

# What exported figures may be.
Positive = Annotated[float, Meta(ge=1e-6, le=1e9)]
Weight = Annotated[float, Meta(ge=1e-6, le=1e6)]
Mean = Annotated[float, Meta(ge=log(SHORTEST) - 1e-9, le=log(LONGEST))]
Squares = Annotated[float, Meta(ge=0.0, le=1e9)]
Runs = Annotated[int, Meta(ge=0, le=10**15)]


class DurationStats(Struct, frozen=True, kw_only=True):
    """How long earlier runs of a job (*step* None) or of one of its steps took.

    *median* is seconds; *spread* is that of the logarithm: with 0.3, two runs in three take 0.74 to 1.35
    times the median. *runs* counts all runs, although old ones lose their weight.

    *scope* and *job* are those of the runs; digits in names are replaced by `#`, so that numbered runs count
    together.
    """

    scope: Scope
    job: str
    step: str | None
    runs: int
    median: float
    spread: float


class ExportedDurations(Struct, frozen=True):
    """The statistics of a table as plain data: `DurationRecord`s, each of *names* behind its key."""

    version: int
    all: tuple[Weight, Mean, Squares, Runs]
    within: tuple[Positive, Positive]
    names: list[tuple[str, str, str | None, Weight, Mean, Squares, Runs]]


class DurationRecord(Struct, eq=False):
    """Logarithms of durations, as count, mean and sum of squares about the mean; old ones lose their weight."""

    weight: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    runs: int = 0
    outlier_side: int = 0
    expectation: EndPrediction | None = None

    @property
    def figures(self) -> tuple[float, float, float, int]:
        """What is exported."""
        return self.weight, self.mean, self.squares, self.runs

    def add(self, value: float, memory: float) -> None:
        """Add one logarithm; at most *memory* of them have weight at a time."""
        if self.weight >= memory:
            self.fade((memory - 1.0) / self.weight)
        self.weight += 1.0
        off = value - self.mean
        self.mean += off / self.weight
        self.squares += off * (value - self.mean)
        self.runs += 1
        self.expectation = None

    def fade(self, share: float) -> None:
        """Multiply the weight of all earlier logarithms by *share*."""
        self.squares *= share
        self.weight *= share


class DurationTable:
    """The distribution of the durations of each name; beyond `KEYS` names those used least recently are removed."""

    def __init__(self) -> None:
        self._records: OrderedDict[Key, DurationRecord] = OrderedDict()
        self._all = DurationRecord(*ALL_RUNS)
        self._within_variance = WITHIN_VARIANCE
        self._unknown_name: EndPrediction | None = None

    def __len__(self) -> int:
        return len(self._records)

    def learn(self, scope: Scope, job: str, step: str | None, seconds: float) -> bool:
        """Add how long a run of a job, or of one of its steps, took; return False for an impossible duration."""
        if not is_duration(seconds):
            return False
        key = key_of(scope, job, step)
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = DurationRecord()
            if len(self._records) > KEYS:
                self._records.popitem(last=False)
        else:
            self._records.move_to_end(key)
        value = log(max(seconds, SHORTEST))
        if record.weight >= 1.0:
            value = self._limit_outlier(record, value)
        record.add(value, MEMORY)
        self._all.add(log(max(seconds, SHORTEST)), MEMORY_OF_ALL)
        self._unknown_name = None
        return True

    def _limit_outlier(self, record: DurationRecord, value: float) -> float:
        """Return *value*, moved towards the others if it is far from them; record the spread."""
        off, far = value - record.mean, OUTLIER_SPREADS * self._own(record).sigma
        near = max(-far, min(far, off))
        before, record.outlier_side = record.outlier_side, (off > far) - (off < -far)
        if record.outlier_side and record.outlier_side == before:
            record.fade(1.0 / record.weight)
            return value
        if record.weight >= 2.0 or near == off:
            weight, squares = self._within_variance
            fade = min(1.0, (MEMORY_OF_ALL - 1.0) / weight)
            mild = near * near * record.weight / (record.weight + 1.0)
            self._within_variance = (weight * fade + 1.0, squares * fade + mild)
        return record.mean + near if record.weight >= 2.0 else value

    # What is expected ---------------------------------------------------------------------------------------

    def runs(self, scope: Scope, job: str, step: str | None) -> int:
        """Return how many runs of this name were added."""
        record = self._find(scope, job, step)
        return record.runs if record is not None else 0

    def expectation(self, scope: Scope, job: str, step: str | None) -> EndPrediction | None:
        """Return the distribution of earlier runs of this name, None when there were none."""
        record = self._find(scope, job, step)
        if record is None:
            return None
        if record.expectation is None:
            record.expectation = EndPrediction(self._own(record), self._of_all(), DOUBT)
        return record.expectation

    def unknown_name_estimate(self) -> EndPrediction:
        """Return the distribution of all runs, for a run whose name is not known."""
        if self._unknown_name is None:
            law = self._of_all()
            self._unknown_name = EndPrediction(law, law, DOUBT)
        return self._unknown_name

    def _find(self, scope: Scope, job: str, step: str | None) -> DurationRecord | None:
        return self._records.get(key_of(scope, job, step))

    def _own(self, record: DurationRecord) -> LogNormal:
        """Return the distribution of one name, moved towards that of all names while it has few runs."""
        within = self._within_variance[1] / self._within_variance[0]
        among = max(self._all.squares / self._all.weight, within)
        pull = within / among
        weight = record.weight + pull
        mu = (record.weight * record.mean + pull * self._all.mean) / weight
        freedom = max(0.0, record.weight - 1.0)
        variance = (OWN_SPREAD_WEIGHT * within + record.squares) / (OWN_SPREAD_WEIGHT + freedom)
        return LogNormal(mu, bounded(sqrt(variance * (1.0 + 1.0 / weight))))

    def _of_all(self) -> LogNormal:
        return LogNormal(self._all.mean, bounded(sqrt(self._all.squares / self._all.weight)))

    def take(self, others: DurationTable) -> int:
        """Take over the names of which *others* saw more runs; return how many.

        Names that are new here count as used least recently, and come only while there is room.
        """
        taken = 0
        for key, record in reversed(others._records.items()):
            own = self._records.get(key)
            if own is None and len(self._records) >= KEYS:
                continue
            if own is None or record.runs > own.runs:
                self._records[key] = record
                taken += 1
                if own is None:
                    self._records.move_to_end(key, last=False)
        return taken

    # As data ------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[DurationStats]:
        """Yield the statistics of each name, the names used last at the end."""
        for (scope, job, step), record in self._records.items():
            freedom = max(1.0, record.weight - 1.0)
            yield DurationStats(
                scope=scope,
                job=job,
                step=step,
                runs=record.runs,
                median=exp(record.mean),
                spread=sqrt(record.squares / freedom),
            )

    def exported(self) -> dict[str, Any]:
        """Return all statistics as plain data for JSON."""
        return {
            "version": VERSION,
            "all": [*self._all.figures],
            "within": [*self._within_variance],
            "names": [
                [str(scope), job, step, *record.figures]
                for (scope, job, step), record in self._records.items()
            ],
        }

    @classmethod
    def imported(cls, data: Mapping[str, Any]) -> DurationTable:
        """Read back what `exported` wrote; raise `UsageError` for anything else."""
        try:
            exported = convert(data, ExportedDurations)
            if exported.version != VERSION:
                raise UsageError(f"the durations have version {exported.version}, not {VERSION}")
            made = cls()
            made._all, made._within_variance = DurationRecord(*exported.all), exported.within
            for scope, job, step, weight, mean, squares, runs in exported.names[-KEYS:]:
                made._records[Scope.parse(scope), job, step] = DurationRecord(weight, mean, squares, runs)
        except (ValidationError, ValueError) as error:
            raise UsageError("these are not durations that were exported before") from error
        return made


def is_duration(seconds: float) -> bool:
    """Return True for a number of seconds that can be a run's duration."""
    return isfinite(seconds) and 0.0 < seconds <= LONGEST


def bounded(sigma: float) -> float:
    """Return a spread within the bounds of every distribution."""
    return min(WIDEST, max(NARROWEST, sigma))


@lru_cache(maxsize=4096)
def normalize_name(name: str) -> str:
    """Return a name without dates and serial numbers."""
    return STAMP.sub("#", name)


def key_of(scope: Scope, job: str, step: str | None) -> Key:
    """Return what the statistics of runs are found by."""
    return scope, normalize_name(job), None if step is None else normalize_name(step)
