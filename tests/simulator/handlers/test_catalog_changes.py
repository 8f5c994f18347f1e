"""Accounts, credentials and file sources that are created are listed, or used, afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from bkjob_async.simulator.simulator import Simulator
from tests.simulator.http_calls import ask, body, data

DIALECTS = ("gateway-v3", "esb-jobv3")
BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}
ACCOUNT = {"account": "Admin", "type": 2, "category": 1, "password": "hunter2", "description": "for Windows"}
CREDENTIAL = {
    "name": "artifacts of ours",
    "type": "USERNAME_PASSWORD",
    "credential_username": "admin",
    "credential_password": "hunter2",
}
SOURCE = {
    "code": "ours_1",
    "alias": "our artifacts",
    "type": "BLUEKING_ARTIFACTORY",
    "access_params": {"base_url": "https://bkrepo.example.com"},
}


def created(simulator: Simulator, operation: str, given: dict[str, Any], dialect: str = "gateway-v3") -> Any:
    """Return the data of the response to one operation that creates something."""
    return data(ask(simulator, operation, {**BIZ, **given}, dialect=dialect, method="POST"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_account_is_created_and_then_listed(dialect: str) -> None:
    """The response is the row of the list, without what only accounts of databases have."""
    simulator = Simulator()

    made = created(simulator, "create_account", ACCOUNT, dialect)

    listed = data(ask(simulator, "get_account_list", {**BIZ, "account": "Admin"}, dialect=dialect))["data"]
    assert listed == [{**made, "db_system_account_id": None}]
    assert (made["id"], made["alias"], made["os"], made["description"]) == (
        7,
        "Admin",
        "Windows",
        "for Windows",
    )
    assert "hunter2" not in repr(simulator.site.catalog)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_file_source_is_created_with_its_credentials_and_then_shown(dialect: str) -> None:
    """Each has an id: that of credentials is text, that of a source a number."""
    simulator = Simulator()

    credential = created(simulator, "create_credential", CREDENTIAL, dialect)
    source = created(simulator, "create_file_source", {**SOURCE, "credential_id": credential["id"]}, dialect)

    shown = data(ask(simulator, "get_file_source_detail", {**BIZ, "code": "ours_1"}))
    assert len(credential["id"]) == 32
    assert source == {"id": shown["id"]} == {"id": 21}
    assert (shown["alias"], shown["credential_id"]) == ("our artifacts", credential["id"])
    assert "hunter2" not in repr(simulator.site.catalog)


@pytest.mark.parametrize(
    ("operation", "given", "change", "code"),
    [
        ("create_account", ACCOUNT, {"account": ""}, 1241007),
        ("create_account", ACCOUNT, {"type": 9}, 1241007),
        ("create_account", ACCOUNT, {"category": 2}, 1241007),
        ("create_account", ACCOUNT, {"password": None}, 1241007),
        ("create_account", ACCOUNT, {"alias": "root"}, 1241010),
        ("create_credential", CREDENTIAL, {"name": None}, 1241007),
        ("create_credential", CREDENTIAL, {"type": "TOKEN"}, 1241010),
        ("create_credential", CREDENTIAL, {"credential_username": None}, 1241007),
        ("create_credential", CREDENTIAL, {"name": "artifacts"}, 1241010),
        ("create_file_source", SOURCE, {"alias": None}, 1241007),
        ("create_file_source", SOURCE, {"code": "1st"}, 1241010),
        ("create_file_source", SOURCE, {"code": "releases"}, 1241010),
        ("create_file_source", SOURCE, {"type": "S3"}, 1241010),
        ("create_file_source", SOURCE, {"access_params": {}}, 1241007),
    ],
)
def test_what_is_missing_unknown_or_taken_is_refused(
    operation: str, given: dict[str, Any], change: dict[str, Any], code: int
) -> None:
    """And nothing is created."""
    simulator = Simulator()
    before = simulator.site.catalog

    response = ask(simulator, operation, {**BIZ, **given, **change}, method="POST")

    assert body(response)["code"] == code
    assert simulator.site.catalog is before


def test_an_account_of_linux_needs_no_password() -> None:
    """Its name is its alias where none is given."""
    made = created(Simulator(), "create_account", {"account": "ops", "type": 1, "category": 1})

    assert (made["os"], made["alias"], made["description"]) == ("Linux", "ops", None)
