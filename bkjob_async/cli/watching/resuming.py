"""The commands that resume a watch that was left, or that come next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from attrs import frozen

from bkjob_async.cli.configuration.operable import can_operate_steps
from bkjob_async.cli.lines import program_name
from bkjob_async.configuration.settings import OPTION, OPTIONS, Settings, option_of
from bkjob_async.model.refs import Ref

MAX_SHOWN = 5


@frozen(kw_only=True)
class WatchRequest:
    """What is watched, the *words* that named it, and where that is recorded."""

    refs: tuple[Ref, ...] = ()
    words: tuple[str, ...] = ()
    journal: str | None = None
    name: str | None = None


def next_command(
    words: Sequence[str], refs: Sequence[Ref], settings: Settings, options: Sequence[str] = ()
) -> str:
    """Return a command about *refs* that reaches the same platform: *words*, its targets, *options*.

    What the environment or a profile says need not be repeated; secrets are never options.
    """
    shown = [str(ref) for ref in refs[:MAX_SHOWN]]
    line = [program_name(), *map(shlex.quote, [*words, *same_platform(settings), *shown, *options])]
    return " ".join(line) + (" …" if len(refs) > MAX_SHOWN else "")


def waits_for_person(step: Ref, operation: str, settings: Settings) -> str:
    """Return that a *step* waits, with the command that lets it go on where there is one."""
    if not can_operate_steps(settings):
        return f"{step} waits for a person"
    return f"{step} waits for a person: {next_command(['operate'], [step], settings, [operation])}"


def same_platform(settings: Settings) -> list[str]:
    """Return the options that were given to name the platform; the scope stands in whole names."""
    given = [] if settings.profile is None else ["--profile", settings.profile.name]
    for name in OPTIONS:
        if settings.level(name) == OPTION and name not in ("biz", "biz_set", "journal"):
            given += [option_of(name), f"{settings.get(name)}"]
    return given


def scope_options(settings: Settings) -> list[str]:
    """Return the options that say in which scope bare ids are."""
    return [
        word
        for name in ("biz", "biz_set")
        if settings.level(name) == OPTION
        for word in (option_of(name), f"{settings.get(name)}")
    ]


def resume_command(refs: Sequence[Ref], settings: Settings, request: WatchRequest) -> str:
    """Return the command that watches on; a fleet in a journal needs no targets.

    Many targets are named by the words that named them before, such as `@FILE`.
    """
    words, name = request.words, request.name
    if name is None and words and len(refs) > MAX_SHOWN >= len(words) and "-" not in words:
        return next_command(["watch"], (), settings, [*scope_options(settings), *words])
    if name is None:
        return next_command(["watch"], refs, settings)
    options = ["--name", name]
    if request.journal is not None and settings.level("journal") == OPTION:
        options = ["--journal", request.journal, *options]
    return next_command(["watch"], (), settings, options)
