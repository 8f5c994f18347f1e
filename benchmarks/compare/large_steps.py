"""A server in another process with large steps whose hosts move with time; it keeps all rows ready.

Every job `1 … JOBS` has one step, the job `LARGE_JOB` has all of them. The life of a job begins with the first request about
it: its hosts wait, run, and end within `LIFE` seconds, a few of them (or all) with failures.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import cast
from urllib.parse import parse_qs

from attrs import define

from benchmarks.compare.bodies import host_row
from benchmarks.compare.server import HEAD

STEPS = 4
LARGE_JOB = 100
LIFE = 10.0
WAITING, RUNNING, SUCCESS, FAILED = 5, 7, 9, 104
STEP_SUCCESS, STEP_RUNNING = 3, 2
STARTED_AT = 1_700_000_000_000


@define
class LargeStep:
    """The rows of one step by status, and when each host starts and ends, in seconds."""

    rows: dict[int, list[bytes]]
    starts: list[float]
    ends: list[float]
    final: list[int]

    @classmethod
    def of(cls, number: int, hosts: int, failing: float) -> LargeStep:
        """Return a step of *hosts* of which a share is *failing*."""
        dice, first = Random(number), number * hosts
        rows = {
            code: [
                json.dumps(host_row(first + n, code), separators=(",", ":")).encode() for n in range(hosts)
            ]
            for code in (WAITING, RUNNING, SUCCESS, FAILED)
        }
        starts = [dice.uniform(0.5, 2.5) for _ in range(hosts)]
        ends = [dice.uniform(3.0, LIFE) for _ in range(hosts)]
        final = [FAILED if dice.random() < failing else SUCCESS for _ in range(hosts)]
        return cls(rows, starts, ends, final)

    def groups(self, age: float) -> dict[int, list[int]]:
        """Return the hosts in each status."""
        groups: dict[int, list[int]] = {}
        for n, (start, end, final) in enumerate(zip(self.starts, self.ends, self.final, strict=True)):
            groups.setdefault(WAITING if age < start else RUNNING if age < end else final, []).append(n)
        return dict(sorted(groups.items()))


def step_head(step_id: int, age: float) -> dict[str, object]:
    """Return the members of a step itself."""
    return {
        "step_instance_id": step_id,
        "execute_count": 0,
        "name": f"step {step_id}",
        "type": 1,
        "status": STEP_RUNNING if age < LIFE else STEP_SUCCESS,
        "create_time": STARTED_AT,
        "start_time": STARTED_AT + 60,
        "end_time": None if age < LIFE else STARTED_AT + int(1e3 * LIFE),
        "total_time": int(1e3 * min(age, LIFE)),
    }


class LargeSteps:
    """What the server knows, and what it answers."""

    def __init__(self, hosts: int, failing: float) -> None:
        self._steps = {number: LargeStep.of(number, hosts, failing) for number in range(1, STEPS + 1)}
        self._begun: dict[int, float] = {}

    def respond(self, path: str, query: dict[str, str]) -> bytes:
        """Return the body of a response."""
        job = int(query["job_instance_id"])
        age = time.monotonic() - self._begun.setdefault(job, time.monotonic())
        if "get_job_instance_status" in path:
            return enveloped(self._job(job, age, with_hosts=query.get("return_ip_result") == "true"))
        return enveloped(self._step(int(query["step_instance_id"]), age, query))

    def _step(self, step_id: int, age: float, query: dict[str, str]) -> bytes:
        step, limit = self._steps[step_id], query.get("max_host_num_per_group")
        groups = []
        for code, hosts in step.groups(age).items():
            if "status" in query and int(query["status"]) != code:
                listed = []
            else:
                listed = hosts if limit is None else hosts[: int(limit)]
            rows = step.rows[code]
            head = {"result_type": code, "tag": "", "host_size": len(hosts)}
            groups.append(with_list(head, b"host_result_list", [rows[n] for n in listed]))
        return with_list(step_head(step_id, age), b"step_result_group_list", groups)

    def _job(self, job: int, age: float, *, with_hosts: bool) -> bytes:
        steps = []
        for step_id in self._steps if job == LARGE_JOB else (job,):
            step, head = self._steps[step_id], step_head(step_id, age)
            rows = (
                [(code, n) for code, hosts in step.groups(age).items() for n in hosts] if with_hosts else []
            )
            listed = [step.rows[code][n] for code, n in rows]
            steps.append(with_list(head, b"step_ip_result_list", listed) if with_hosts else dumped(head))
        is_over = age >= LIFE
        job_instance = {
            "job_instance_id": job,
            "name": f"job {job}",
            "bk_scope_type": "biz",
            "bk_scope_id": "2",
        }
        job_instance |= {"status": STEP_SUCCESS if is_over else STEP_RUNNING, "start_time": STARTED_AT}
        return with_list({"finished": is_over, "job_instance": job_instance}, b"step_instance_list", steps)


def dumped(value: object) -> bytes:
    """Return *value* as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def with_list(head: dict[str, object], name: bytes, items: list[bytes]) -> bytes:
    """Return *head* as JSON with one more member, a list of *items*."""
    return b'%s,"%s":[%s]}' % (dumped(head)[:-1], name, b",".join(items))


def enveloped(data: bytes) -> bytes:
    """Return the body of a response with *data*."""
    return b'{"code":0,"result":true,"job_request_id":"5f0c1de2a7b84d6c","data":%s}' % data


class LargeStepsConnection(asyncio.Protocol):
    """One connection to the server."""

    def __init__(self, steps: LargeSteps) -> None:
        self._steps = steps
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Respond to every complete request."""
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for request in requests:
            path, _, query = request.split(b" ", 2)[1].decode().partition("?")
            body = self._steps.respond(path, {name: values[0] for name, values in parse_qs(query).items()})
            if self._transport is not None:
                self._transport.write(HEAD % (b"", len(body)) + body)


async def serve(hosts: int, failing: float) -> None:
    """Serve until stdin ends; print the port on stdout."""
    steps, loop = LargeSteps(hosts, failing), asyncio.get_running_loop()
    server = await loop.create_server(lambda: LargeStepsConnection(steps), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main(hosts: int, failing: float) -> None:
    """Run the server, on uvloop where that is installed."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - the server is as quick as it can be, and works without

        uvloop.run(serve(hosts, failing))
        return
    asyncio.run(serve(hosts, failing))


@contextmanager
def running_large_steps(hosts: int, *, failing: float = 0.03) -> Iterator[str]:
    """Run the server in another process; yield its URL."""
    code = f"from benchmarks.compare.large_steps import main; main({hosts}, {failing})"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 - our own
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
