"""Interpret launched scripts: the small part of shell that tests need."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import Factory, define, evolve, frozen

from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, HostOutcome, exactly

MAX_TAG_LENGTH = 256
_COMMENT = re.compile(r"#[^\n]*")
_BLANK = re.compile(r"(?:[ \t\r]|\\\n)+")
_OPERATOR = re.compile(r"&&|\|\||;|\n")
_WORD = re.compile(r"""(?:'[^']*'|"[^"$`\\]*"|[^\s;&|<>(){}$`'"\\*?~])+""")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_PRINTABLE_NAME = re.compile(r"[\w./-]{1,40}")
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

# Commands that succeed wherever they run, and what they print.
PRINTS = {
    "date": "Thu Jan  1 08:00:00 CST 2026",
    "hostname": "simulated-host",
    "id": "uid=0(root) gid=0(root) groups=0(root)",
    "job_start": "job_start",
    "pwd": "/root",
    "uname": "Linux",
    "uptime": " 08:00:00 up 1 day,  1 user,  load average: 0.00, 0.01, 0.05",
    "whoami": "root",
}


class UnsupportedScriptError(ValueError):
    """A script has a command that the simulator cannot interpret."""


@frozen
class Token:
    """A word of a command (without its quotes), or an operator between commands."""

    line: int
    text: str
    is_operator: bool = False


@define
class Run:
    """One run of a script: what it printed, how long it took, how it ended."""

    output: list[str] = Factory(list)
    seconds: float = 0.0
    status: int = 0
    tag: str = ""
    is_over: bool = False


def script_outcome(script: str) -> HostOutcome:
    """Return the outcome of a host that runs *script*; raise `UnsupportedScriptError`.

    Understood are `sleep`, `echo`, `exit`, `true`, `false`, `job_success TAG`, `job_fail TAG` and a few
    commands that only print (`PRINTS`), joined by `;`, `&&`, `||` and new lines, with comments. Commands that
    a script never reaches are not parsed.
    """
    run = run_of(script)
    outcome = evolve(SUCCEEDS, log="".join(run.output), tag=run.tag)
    if run.status:
        # The platform sets status 104 for any exit code but zero, that of `job_fail` as well.
        outcome = evolve(outcome, status=FAILS.status, exit_code=run.status)
    return evolve(outcome, duration=exactly(run.seconds)) if run.seconds else outcome


def run_of(script: str) -> Run:
    """Interpret *script*, command by command."""
    run, operator = Run(), ";"
    for command, following in commands(script):
        wanted = operator in ";\n" or (operator == "&&") == (run.status == 0)
        if wanted and command:
            execute(run, command)
        if run.is_over:
            break
        operator = following
    return run


def commands(script: str) -> Iterator[tuple[list[Token], str]]:
    """Yield each command's words and the operator after them; empty commands only between new lines."""
    words: list[Token] = []
    operator = "\n"
    for token in tokens(script):
        if not token.is_operator:
            words.append(token)
            continue
        if not words and token.text != "\n":
            raise UnsupportedScriptError(f"line {token.line}: no command before {token.text!r}")
        if not words:
            continue
        operator = token.text
        yield words, operator
        words = []
    if words:
        yield words, "\n"
    elif operator in ("&&", "||"):
        raise UnsupportedScriptError(f"no command after {operator!r}")


def tokens(script: str) -> Iterator[Token]:
    """Yield words and operators; raise `UnsupportedScriptError` for other syntax of shells."""
    place, line = 0, 1
    while place < len(script):
        if found := _BLANK.match(script, place) or _COMMENT.match(script, place):
            pass
        elif found := _OPERATOR.match(script, place):
            yield Token(line, found.group(), is_operator=True)
        elif found := _WORD.match(script, place):
            yield Token(line, _QUOTED.sub(lambda quoted: quoted[1] or quoted[2] or "", found.group()))
        else:
            raise UnsupportedScriptError(f"line {line}: {script[place]!r}")
        line += found.group().count("\n")
        place = found.end()


def execute(run: Run, command: list[Token]) -> None:
    """Add the effects of one command to a run."""
    name, words = command[0].text, [word.text for word in command[1:]]
    before, run.status = run.status, 0
    if name == "echo":
        has_end = words[:1] != ["-n"]
        run.output.append(" ".join(words if has_end else words[1:]) + ("\n" if has_end else ""))
    elif name == "sleep":
        sleep(run, words, command[0].line)
    elif name == "exit":
        run.status, run.is_over = exit_status(words, before, command[0].line), True
    elif name in ("job_success", "job_fail"):
        message = " ".join(words)
        run.output.append(f"{name}:[{message}]\n")
        run.status, run.tag, run.is_over = int(name == "job_fail"), message[:MAX_TAG_LENGTH], True
    elif name in PRINTS:
        run.output.append(f"{PRINTS[name]}\n")
    elif name == "false":
        run.status = 1
    elif name != "true":
        # A word that is no plain name may contain anything, even a password.
        shown = f"the command {name!r}" if _PRINTABLE_NAME.fullmatch(name) else "a command"
        raise UnsupportedScriptError(f"line {command[0].line}: {shown}")


def sleep(run: Run, words: list[str], line: int) -> None:
    """Add the seconds of one `sleep`; without a duration it fails."""
    if not words:
        run.output.append("sleep: missing operand\n")
        run.status = 1
    for word in words:
        found = _DURATION.fullmatch(word)
        if found is None:
            raise UnsupportedScriptError(f"line {line}: the duration of 'sleep'")
        run.seconds += float(found[1]) * _SECONDS[found[2]]


def exit_status(words: list[str], before: int, line: int) -> int:
    """Return the status that an `exit` names, 0 to 255; without a number it is that of the command *before*."""
    if not words:
        return before
    if len(words) > 1 or not words[0].isascii() or not words[0].isdecimal():
        raise UnsupportedScriptError(f"line {line}: the status of 'exit'")
    return int(words[0]) % 256
