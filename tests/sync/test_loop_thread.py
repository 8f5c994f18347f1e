"""Threads, forks, interrupts and ends of a synchronous client."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async import sync
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from bkjob_async.sync.handed_call import HandedCall
from tests.client.clients import CREDENTIALS, FAILING, SCOPE, SECRET, URLS
from tests.sync.clients import connected, fast_simulator

ROOT = Path(__file__).parent.parent.parent
USER: ContextVar[str] = ContextVar("USER", default="nobody")
# Longer than anything here takes; a call that is not interrupted fails the test.
FOREVER = 60.0


def loops() -> list[threading.Thread]:
    """Return the threads of clients that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "bkjob_async loop"]


@contextmanager
def signalled(act: Callable[[], Any], after: float = 0.2) -> Iterator[None]:
    """Raise what *act* raises in this thread, in a moment."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        act()

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_program(text: str, *, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own; it has a *simulator* and a *client* of it."""
    head = """
        import os, signal, sys, threading, time
        import bkjob_async as bkjob
        from tests.client.clients import FAILING
        from tests.sync.clients import connected, fast_simulator
        simulator = fast_simulator()
        client = connected(simulator, interval=0.02)
        job = simulator.add(FAILING)
    """
    program = textwrap.dedent(head) + textwrap.dedent(text)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=FOREVER, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_a_client_runs_a_script_and_ends() -> None:
    """Nothing is left of it, however often it is closed."""
    with connected(fast_simulator(), interval=0.02) as client:
        result = client.run_script("uptime", ["0:10.0.0.1"], deadline=FOREVER)
    client.close()

    assert result.ok
    assert loops() == []
    with pytest.raises(bkjob.ClientClosed, match=r"connect\(\)"):
        client.get_job_instance_status(result.ref.job)
    with pytest.raises(bkjob.ClientClosed, match=r"connect\(\)"):
        client.watch(result.ref)


def test_the_first_call_opens_a_client() -> None:
    """So that a module of Django may have one; a client that was never used has no thread."""
    simulator = fast_simulator()
    client = connected(simulator)
    job = simulator.add(FAILING)
    assert client.job(100) == bkjob.JobRef(SCOPE, 100)
    assert loops() == []

    status = client.get_job_instance_status(job)
    client.close()

    assert status.ref == job


def test_a_client_that_nobody_holds_ends() -> None:
    """Its thread does not outlive it."""
    simulator = fast_simulator()
    client = connected(simulator)
    client.get_job_instance_status(simulator.add(FAILING))
    (thread,) = loops()
    del client
    gc.collect()
    thread.join(FOREVER)

    assert not thread.is_alive()


def test_threads_share_a_client() -> None:
    """Each gets its own results, and the limit of the client holds for all."""
    simulator = fast_simulator()
    jobs = [simulator.add(FAILING) for _ in range(8)]
    with connected(simulator, interval=0.02, max_in_flight=4) as client, ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(client.get_job_instance_status, jobs[n % 8]) for n in range(200)]
        waited = [pool.submit(client.wait, job, deadline=FOREVER) for job in jobs]

        assert [each.result().ref for each in asked] == [jobs[n % 8] for n in range(200)]
        assert [each.result().ref for each in waited] == jobs


def test_a_watch_is_an_ordinary_iterator() -> None:
    """With the events, readers, cursors and results of the asynchronous one."""
    simulator = fast_simulator()
    job = simulator.add(FAILING)
    with connected(simulator, interval=0.02) as client, client.watch(job, deadline=FOREVER) as watch:
        events = list(watch)
        (failed,) = watch.hosts(phase=bkjob.Phase.FAILED)
        reader = watch.events(after=events[2].cursor)
        rest = list(reader)
        (*_, last) = watch.batches()
        results = watch.results()

        assert isinstance(events[-1], bkjob.Finished)
        assert rest == events[3:]
        assert reader.cursor == last.cursor
        assert failed.host.label == "0:10.0.0.2"
        assert not results[job].ok  # type: ignore[union-attr]
        assert watch.is_in_sync
        assert watch.targets == {job}
        watch.expects_callbacks = True
        assert watch.expects_callbacks


def test_a_callback_in_the_thread_of_a_web_server_makes_a_watch_poll() -> None:
    """It is answered with 200, queued and passed to the function; a client that is closed is passed over."""
    heard: list[bkjob.Callback] = []
    receiver = bkjob.CallbackReceiver(on_callback=heard.append, base="https://me.example.com/bkjob")
    simulator = Simulator(at_once=True)
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),)))
    body = b'{"job_instance_id":%d,"status":3}' % job.job_instance_id
    with (
        connected(simulator, interval=FOREVER, callbacks=receiver) as client,
        client.watch(job, linger=None) as watch,
    ):
        next(event for event in watch if isinstance(event, bkjob.InSync))
        before = watch.stats().polls
        statuses = [receiver.receive(body)]
        polls = watch.stats().polls - before
    statuses.append(receiver.receive(body))

    assert statuses == [200, 200]
    assert polls == 1
    assert len(heard) == len(receiver._queue) == 2
    assert watch.targets == {job}


def test_a_watch_that_is_not_open_names_the_with_of_this_client() -> None:
    """In a comprehension, a wait and a reader; `async with` would be a mistake here."""
    simulator = fast_simulator()
    job = simulator.add(FAILING)
    with connected(simulator) as client:
        for act in (list, lambda w: w.wait(job), lambda w: list(w.hosts())):
            with pytest.raises(bkjob.UsageError, match=r"^open the watch first: with client\.watch"):
                act(client.watch(job))


def test_what_a_watch_has_seen_can_be_looked_at_when_all_is_closed() -> None:
    """As in the asynchronous client."""
    simulator = fast_simulator()
    job = simulator.add(FAILING)
    with connected(simulator, interval=0.02) as client, client.watch(job, deadline=FOREVER) as watch:
        watch.results()
    seen = watch.snapshot(job)
    watch.close()

    assert seen is not None
    assert seen.status.name == "FAIL"


def test_errors_are_those_of_the_asynchronous_client() -> None:
    """Raised in the thread that called, with their facts."""
    simulator = Simulator(speed=1.0, at_once=True)
    job = simulator.add(FAILING)
    with connected(simulator) as client:
        with pytest.raises(bkjob.DeadlineExceeded) as late:
            client.wait(job, deadline=0.05)
        with pytest.raises(bkjob.UsageError, match="positive"):
            client.wait(job, deadline=-1)
        with pytest.raises(bkjob.UsageError, match="linger is a number"):
            client.watch(job, linger=-1)

    assert isinstance(late.value, TimeoutError)


def test_no_argument_is_in_the_frames_of_an_error() -> None:
    """A script may hold a password, which error trackers would store."""
    with connected(fast_simulator()) as client, pytest.raises(bkjob.UsageError) as refused:
        client.run_script(f"login {SECRET}", ["0:10.0.0.1"], deadline=-1)
    frames = [frame for frame, _ in traceback.walk_tb(refused.tb)]
    shown = [repr(frame.f_locals) for frame in frames if "/bkjob_async/" in frame.f_code.co_filename]

    assert shown
    assert SECRET not in "".join(shown)


def test_a_provider_sees_the_context_of_the_call() -> None:
    """The context variables of the calling thread are those of its call."""
    seen = []

    async def of_user() -> bkjob.AppCredentials:
        seen.append(USER.get())
        return CREDENTIALS

    simulator = fast_simulator()
    job = simulator.add(FAILING)
    with connected(simulator) as client:
        users = client.with_options(credentials=bkjob.PerCall(of_user))
        USER.set("ann")
        users.get_job_instance_status(job)
        users.close()  # a view is neither opened nor closed
        users.get_job_instance_status(job)

    assert seen == ["ann", "ann"]


def test_the_loop_of_a_client_cannot_wait_for_itself() -> None:
    """A provider that uses the twin would wait for ever."""

    async def provider() -> bkjob.AppCredentials:
        client.get_job_plan_detail(1000)
        return CREDENTIALS

    client = sync.connect(
        URLS["gateway-v3"], provider, scope=SCOPE, transport=fast_simulator().transport(), name="own"
    )
    with client, pytest.raises(bkjob.BkJobError, match="WrongEventLoop"):
        client.get_job_plan_detail(1001)


class Silent:
    """A transport that never answers."""

    def __init__(self) -> None:
        """Count requests."""
        self.requests = self.cancelled = 0

    async def send(self, _request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109
        """Wait for ever."""
        self.requests += 1
        try:
            await asyncio.sleep(timeout)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise AssertionError

    async def aclose(self) -> None:
        """Close nothing."""


def test_closing_ends_the_calls_of_other_threads() -> None:
    """They raise, instead of waiting for ever."""
    transport = Silent()
    client = connected(Simulator(), transport=transport, request_timeout=FOREVER)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.get_job_instance_status, 100)
        while not transport.requests:
            time.sleep(0.01)
        client.close()

        with pytest.raises(bkjob.BkJobError, match="closed"):
            call.result(FOREVER)


def test_closing_closes_the_journals_of_open_watches(tmp_path: Path) -> None:
    """Those that other threads have not left: each is released, and its thread ends."""
    simulator = Simulator(at_once=True)
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    client = connected(simulator, interval=0.02)
    watch = client.watch(simulator.add(FAILING), journal=url, name="night", linger=None).__enter__()
    reader = iter(watch)
    next(reader)
    (thread,) = (each for each in threading.enumerate() if each.name.startswith("bkjob-journal"))
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, reader)
        client.close()
        with pytest.raises(bkjob.ClientClosed):
            rest.result(FOREVER)
    watch.close()
    thread.join(FOREVER)

    async def held() -> list[bool]:
        async with bkjob.open_journal(url) as journal:
            return [each.is_held for each in await journal.fleets()]

    assert not thread.is_alive()
    assert asyncio.run(held()) == [False]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, TimeoutError])
def test_an_interrupted_call_is_cancelled(kind: type[BaseException]) -> None:
    """At once, whether by Ctrl-C or by a time limit of the program's own; the client goes on."""
    transport = Silent()

    def interrupt() -> None:
        raise kind

    with connected(Simulator(), transport=transport, request_timeout=FOREVER) as client:
        with signalled(interrupt), pytest.raises(kind):
            client.get_job_instance_status(100)
        cancelled = transport.cancelled
        assert client.stats().in_flight == 0

    assert (transport.requests, cancelled) == (1, 1)


def test_an_interrupt_names_the_job_that_goes_on() -> None:
    """As the cancelled call of the asynchronous client does."""
    simulator = Simulator(speed=0.01, at_once=True)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with connected(simulator) as client:
        with signalled(interrupt), pytest.raises(KeyboardInterrupt) as stopped:
            client.run_script("sleep 60", ["0:10.0.0.1"])

        assert stopped.value.__notes__ == [
            "the job 2:20000000001 was launched, and goes on: client.wait('2:20000000001')"
        ]
        assert client.get_job_instance_status(20000000001).ref.job_instance_id == 20000000001


def test_a_reader_goes_on_after_an_interrupt() -> None:
    """It has lost nothing."""
    simulator = Simulator(speed=1.0, at_once=True)
    job = simulator.add(FAILING)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with connected(simulator, interval=0.05) as client, client.watch(job, linger=None) as watch:
        reader = iter(watch)
        first = [next(reader)]
        with signalled(interrupt), pytest.raises(KeyboardInterrupt):
            first += reader
        while not any(isinstance(event, bkjob.InSync) for event in first):
            first.append(next(reader))

        assert first == [event for event, _ in zip(watch, first, strict=False)]


@contextmanager
def interrupted_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[pytest.ExceptionInfo[KeyboardInterrupt]]:
    """Interrupt the next call in the moment after it has ended, once."""
    wait = HandedCall.wait

    def wait_and_stop(self: HandedCall[Any], seconds: float = -1) -> bool:
        found = wait(self, seconds)
        monkeypatch.setattr(HandedCall, "wait", wait)
        if found:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(HandedCall, "wait", wait_and_stop)
    with pytest.raises(KeyboardInterrupt) as stopped:
        yield stopped


def test_a_reader_that_is_interrupted_behind_a_slice_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so has a list."""
    simulator = Simulator(speed=100.0, at_once=True)
    job = simulator.add(FAILING)
    with connected(simulator, interval=0.05) as client, client.watch(job) as watch:
        whole, reader = list(watch), iter(watch)
        with interrupted_behind(monkeypatch):
            next(reader)
        assert list(reader) == whole

        every, accounts = client.get_account_list().all(), client.get_account_list()
        with interrupted_behind(monkeypatch):
            next(accounts)
        assert accounts.all() == every != ()


def test_an_interrupt_behind_a_launch_names_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call had returned, and nobody was given the result."""
    with connected(Simulator(at_once=True)) as client, interrupted_behind(monkeypatch) as stopped:
        client.fast_execute_script("uptime", ["0:10.0.0.1"], account_alias="root")

    assert stopped.value.__notes__ == ["the call had returned already, with 2:20000000001"]


def test_a_start_that_is_interrupted_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call uses the thread that was started; no thread is left."""
    before, start = loops(), threading.Thread.start

    def start_and_stop(self: threading.Thread) -> None:
        start(self)
        if self.name == "bkjob_async loop":
            monkeypatch.setattr(threading.Thread, "start", start)
            raise KeyboardInterrupt

    client = connected(Simulator(at_once=True))
    monkeypatch.setattr(threading.Thread, "start", start_and_stop)
    with pytest.raises(KeyboardInterrupt):
        client.get_account_list().all()
    assert client.get_account_list().all() != ()
    client.close()

    assert loops() == before


def test_a_loop_that_cannot_be_started_is_tried_again_by_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where no file descriptor is free for a moment: a program may have one client for as long as it runs."""

    def refuse() -> asyncio.AbstractEventLoop:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before, client = loops(), connected(Simulator(at_once=True))
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.events, "new_event_loop", refuse)
        for call in (client.get_account_list().all, client.__enter__):
            with pytest.raises(bkjob.TransportFailed, match=os.strerror(errno.EMFILE)) as refused:
                call()
            assert not refused.value.details.sent
    assert client.get_account_list().all() != ()
    client.close()

    assert loops() == before


def test_figures_of_an_open_watch_can_be_read() -> None:
    """In its loop."""
    simulator = Simulator(at_once=True)
    with connected(simulator, interval=0.05) as client, client.watch(simulator.add(FAILING)) as watch:
        assert watch.stats().targets == 1


# Processes ----------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_program_at_once() -> None:
    """With Python's own traceback of the interrupt, and nothing else."""
    done = run_program(
        """
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        with client:
            with client.watch(job, linger=None) as watch:
                for event in watch.hosts():
                    pass
        """,
        code=-signal.SIGINT,
    )

    assert done.stderr.count("Traceback") == 1
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert "concurrent" not in done.stderr
    assert "threading.py" not in done.stderr


def test_a_program_that_does_not_close_its_client_ends() -> None:
    """Silently, though Python shows all warnings."""
    done = run_program("print(client.wait(job, deadline=60).status)")

    assert (done.stdout, done.stderr) == ("FAIL\n", "")


def test_a_watch_that_is_left_open_does_not_keep_a_program() -> None:
    """Nor does it print."""
    done = run_program("watch = client.watch(job, linger=None).__enter__()\nprint(next(iter(watch)))")

    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX only")
def test_a_forked_child_is_told_to_connect_anew() -> None:
    """If the client was used before; the client of the parent goes on."""
    done = run_program(
        """
        print(client.wait(job, deadline=60).status, flush=True)
        child = os.fork()
        if not child:
            try:
                client.wait(job)
            except bkjob.WrongEventLoop as error:
                print(error, flush=True)
            client.close()
            with connected(fast_simulator()) as another:
                print(another.get_job_plan_detail(1000).name, flush=True)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(client.get_job_instance_status(job).status)
        client.close()
        """
    )

    assert done.stdout.splitlines() == [
        "FAIL",
        "the process was forked after the client was used; connect() anew in the child",
        "plan 1000",
        "FAIL",
    ]
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX only")
def test_a_child_may_use_a_client_that_was_not_used() -> None:
    """As when a server loads the application before it forks."""
    done = run_program(
        """
        child = os.fork()
        os.write(1, f"{client.wait(job, deadline=60).status}\\n".encode())
        client.close()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        """
    )

    assert (done.stdout, done.stderr) == ("FAIL\nFAIL\n", "")
