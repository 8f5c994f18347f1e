"""Methods that are imported when they are first used look like any other."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from inspect import iscoroutinefunction, signature
from typing import Any, get_type_hints

import pytest

import bkjob_async as bkjob
from bkjob_async.client.imported import add_imported_methods
from bkjob_async.client.operations import management


def fresh(code: str) -> str:
    """Return what a fresh interpreter prints, in which no method was used yet."""
    run = [sys.executable, "-c", f"import bkjob_async as bkjob, pydoc, inspect\n{code}"]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["save_cron", "get_job_plan_list", "query_gse_task", "status"])
def test_help_of_the_class_shows_the_method(name: str) -> None:
    """With its parameters, in the first look at it."""
    shown = fresh("print(pydoc.plain(pydoc.render_doc(bkjob.JobClient)))")

    assert f" {name}(client: 'Caller'" in shown
    assert "ImportedMethod" not in shown


def test_the_method_is_the_function() -> None:
    """Of the class, of a client and of a class that inherits it."""

    class Ours(bkjob.JobClient):
        """A client with more."""

    assert Ours.save_cron is bkjob.JobClient.save_cron is management.save_cron
    assert iscoroutinefunction(bkjob.JobClient.delete_cron)
    assert [*signature(Ours.delete_cron).parameters] == ["client", "id", "scope", "request_timeout"]
    assert get_type_hints(bkjob.JobClient.delete_cron)["id"] is int
    assert "save_cron" in dir(bkjob.JobClient)
    assert "Create a cron" in pydoc.getdoc(bkjob.JobClient.save_cron)


def test_it_is_imported_once() -> None:
    """The function takes its place where it was declared, whoever asks."""

    class Declares:
        """Has such a method."""

        delete_cron: Any

    add_imported_methods(Declares, {"delete_cron": "operations.management"})

    class Inherits(Declares):
        """Asks first."""

    assert Inherits().delete_cron.__func__ is management.delete_cron
    assert vars(Declares)["delete_cron"] is management.delete_cron
    assert "delete_cron" not in vars(Inherits)
