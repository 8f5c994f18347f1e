"""Fields are read and sent by their own names."""

from typing import Any

import pytest
from attrs import fields

from bkjob_async.dialects.common.fields import field_values, read_fields, readers_of
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.errors import InvalidResponse
from bkjob_async.model.operations.launches import RollingFileSource
from bkjob_async.model.operations.management import StoredFileSource
from bkjob_async.model.operations.stored_items import Script, ScriptVersion, StoredAccount


@pytest.mark.parametrize("kind", [Script, ScriptVersion, StoredAccount, StoredFileSource])
def test_no_field_of_an_item_is_left_out_for_its_type(kind: Any) -> None:
    """A field of a type that nothing reads would keep its default silently."""
    assert set(readers_of(kind)) == {each.name for each in fields(kind)}


def test_ids_are_positive_and_other_numbers_need_not_be() -> None:
    """The platform writes 0 or -1 for an id that there is not."""
    account = read_fields(StoredAccount, JsonObject({"id": 1, "type": 0, "db_system_account_id": -1}))

    assert (account.type, account.db_system_account_id) == (0, None)
    with pytest.raises(InvalidResponse, match=r"\$\.id"):
        read_fields(StoredAccount, JsonObject({"id": 0}))


def test_fields_are_sent_by_their_names_unless_renamed_or_left_out() -> None:
    """What a dialect names is all that differs."""
    source = RollingFileSource(max_execute_object_num_in_batch=2)

    assert field_values(source, "max_file_num_of_single_execute_object") == {
        "max_execute_object_num_in_batch": 2
    }
    assert field_values(source, most="max_execute_object_num_in_batch")["most"] == 2
