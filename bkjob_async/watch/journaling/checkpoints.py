"""Write checkpoints of a fleet: the state that its records amount to, when they outweigh the last one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator

from bkjob_async.engine.journaling.forms import JobForm
from bkjob_async.engine.journaling.jobs import encode_part, parts_of, reported_form
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalError
from bkjob_async.journal.loading import in_slices, load_fleet
from bkjob_async.journal.store import MAX_CHECKPOINT, Checkpoint, Store
from bkjob_async.watch.cooperative import wait_until_done
from bkjob_async.watch.journaling.record_queue import RecordQueue

# A checkpoint is written when the records behind the last one have more bytes than it, and than this.
SMALLEST_WEIGHT = 256 * 1024

logger = logging.getLogger("bkjob_async.journal")


class StateDiffers(Exception):
    """The records of a fleet say something else of a job than its present state."""


class Checkpoints:
    """The checkpoints of one fleet, written in the background.

    A checkpoint is made from the states of the jobs, in slices. Jobs may change between two slices, so the part of a
    job that did has the number of its newest record. Where a state says something else than the records, because another
    watch shares the job, the checkpoint is made from the last one and the records behind it.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        records: RecordQueue,
        *,
        wait_stored_to: Callable[[int], Awaitable[None]],
        jobs: Callable[[], Iterable[JobState | None]],
    ) -> None:
        """Write for the fleet *name*, whose *records* are put; nothing is written before `begin_behind`.

        *wait_stored_to* waits until the record with a number is stored. *jobs* returns the state of each job, None where
        the records say something else.
        """
        self._store = store
        self._name = name
        self._records = records
        self._wait_stored_to = wait_stored_to
        self._jobs = jobs
        self._weight = 0  # of the records behind the last one
        self._limit = SMALLEST_WEIGHT
        self._task: asyncio.Task[None] | None = None

    def begin_behind(self, checkpoint_size: int, records_size: int) -> None:
        """Begin with the sizes of the checkpoint and the records that the store has."""
        self._weight, self._limit = records_size, max(SMALLEST_WEIGHT, checkpoint_size)

    def on_stored(self, size: int) -> None:
        """Count the bytes of records that were stored, and begin to write where they are enough."""
        self._weight += size
        if self._weight > self._limit and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write(), name="bkjob_async checkpoint")

    async def cancel(self) -> None:
        """Stop writing."""
        if self._task is not None:
            self._task.cancel()
            await wait_until_done([self._task])

    async def _write(self) -> None:
        """Write a checkpoint; on failure it is tried again with the next record."""
        before, term = self._weight, self._records.term
        try:
            try:
                checkpoint = await self._from_states()
            except StateDiffers:
                checkpoint = await self._from_records()
            if checkpoint.size <= MAX_CHECKPOINT:
                await self._store.write_checkpoint(self._name, checkpoint, term=term)
            else:
                logger.warning(
                    "the fleet %r is too large for a checkpoint (%d MiB): all its records are kept",
                    self._name,
                    checkpoint.size >> 20,
                )
        except JournalError as error:
            logger.debug("no checkpoint of the fleet %r: %s", self._name, error)
            return
        self._weight -= before
        self._limit = max(SMALLEST_WEIGHT, checkpoint.size)

    async def _from_states(self) -> Checkpoint:
        """Return what was reported up to now; raise `StateDiffers` where the states of jobs do not say it."""
        sequence = self._records.last_put
        parts = [encode_part(self._records.facts.part(sequence))]
        parts += [part async for part in in_slices(parts_of(sequence, self._job_forms(sequence)))]
        await self._wait_stored_to(self._records.last_put)
        return Checkpoint(sequence, parts)

    def _job_forms(self, sequence: int) -> Iterator[JobForm]:
        for job in self._jobs():
            if job is None:
                raise StateDiffers
            last_put = self._records.last_put
            yield reported_form(job, last_put if last_put > sequence else 0)

    async def _from_records(self) -> Checkpoint:
        """Return the last checkpoint with the records behind it."""
        state = (await load_fleet(self._store, self._name)).fold
        return Checkpoint(state.sequence, [part async for part in in_slices(state.parts())])
