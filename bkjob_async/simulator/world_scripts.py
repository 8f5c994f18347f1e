"""What a launched script does to its hosts: the few words of shell that tests need."""

from __future__ import annotations

import re

from attrs import evolve

from bkjob_async.simulator.world_plans import GREEN, RED, Fate, exactly

_WORD = re.compile(r"^\s*(sleep|exit|echo|job_success|job_fail)\b[ \t]*(.*?)\s*$", re.MULTILINE)


def fate_of(script: str, usual: Fate = GREEN) -> Fate:
    """Return what becomes of a host that runs *script*; what it does not say is *usual*.

    Understood are `sleep SECONDS`, `echo TEXT`, `exit CODE`, `job_success TAG` and `job_fail TAG`, one to a line.
    """
    fate, said, seconds = usual, [], 0.0
    for word, rest in _WORD.findall(script):
        value = rest.strip("\"'")
        if word == "sleep":
            seconds += number(value)
        elif word == "echo":
            said.append(value)
        elif word == "exit":
            code = int(number(value))
            if code:
                fate = evolve(fate, status=RED.status, exit_code=code)
            break
        else:
            failed = word == "job_fail"
            fate = evolve(fate, tag=value[:256])
            if failed:
                fate = evolve(fate, status=103 if fate.status == 9 else fate.status, exit_code=1)
            break
    if said:
        fate = evolve(fate, log="".join(f"{line}\n" for line in said))
    return evolve(fate, runs=exactly(seconds)) if seconds else fate


def number(text: str) -> float:
    """Return the number that a text begins with, 0 for none."""
    found = re.match(r"\d+(\.\d+)?", text)
    return float(found.group()) if found else 0.0
