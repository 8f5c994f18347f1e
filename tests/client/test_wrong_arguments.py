"""Every wrong argument is a typed error that names it and says what to write, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async import operations
from tests.client.clients import CREDENTIALS, URLS

Slip = tuple[Callable[..., Any], type[Exception], Sequence[str]]
HOST = "0:10.0.0.1"
SCOPE = bkjob.Scope.biz(2)
TYPE, VALUE = bkjob.WrongType, bkjob.WrongValue
# As callers see the package who check no types.
untyped: Any = bkjob


async def is_refused(slip: Callable[..., Any], given: Sequence[Any], error: type[Exception]) -> str:
    """Return the text of the error that a slip raises, which is of this class."""
    with pytest.raises(error) as refused:
        made = slip(*given)
        if isawaitable(made):
            await made
    assert isinstance(refused.value, bkjob.UsageError)
    return str(refused.value)


OPTIONS: Sequence[tuple[Mapping[str, Any], type[Exception], Sequence[str]]] = [
    ({"dialect": 3}, TYPE, ["dialect", "'gateway-v3'", "not int"]),
    ({"retries": 3}, TYPE, ["retries", "Retries(attempts=3)"]),
    ({"retries": bkjob.Retries}, TYPE, ["retries", "not the class Retries"]),
    ({"http": {}}, TYPE, ["http", "HttpOptions", "not dict"]),
    ({"callbacks": "x"}, TYPE, ["callbacks", "CallbackReceiver(base=...)"]),
    ({"session": 5}, TYPE, ["session", "ClientSession"]),
    ({"transport": 5}, TYPE, ["transport", "send", "aclose", "not int"]),
    ({"observers": 5}, TYPE, ["observers=[...]", "not int"]),
    ({"observers": print}, TYPE, ["observers=[...]"]),
    ({"language": "fr"}, VALUE, ["language", "'en'", "'zh-cn'", "not 'fr'"]),
    ({"credentials_in": "cookie", "dialect": "esb-job"}, VALUE, ["credentials_in", "'header'", "'cookie'"]),
    ({"tenant": 5}, bkjob.UsageError, ["tenant", "text"]),
    ({"name": 5}, TYPE, ["name", "text"]),
    ({"profile": 5}, TYPE, ["profile", "text"]),
    ({"scope": 0}, TYPE, ["scope", "Scope.biz(2)"]),
]


@pytest.mark.parametrize(("options", "error", "words"), OPTIONS)
async def test_a_client_is_made_of_the_parts_that_it_takes(
    options: Mapping[str, Any], error: type[Exception], words: Sequence[str]
) -> None:
    """Else `connect` refuses them, and not the first call."""
    slip = lambda: untyped.connect(**{"url": URLS["gateway-v3"], "credentials": CREDENTIALS, **options})  # noqa: E731

    said = await is_refused(slip, (), error)

    assert [word for word in words if word not in said] == []


VALUES: Sequence[Slip] = [
    (lambda: untyped.open_journal(5), TYPE, ["url", "'sqlite:///fleet.db'", "not int"]),
    (lambda: untyped.open_journal("memory:", keep=5), TYPE, ["keep", "Keep"]),
    (lambda: untyped.HostsDone("0.5"), TYPE, ["HostsDone: share", "number", "not str"]),
    (lambda: untyped.HostsDone(True), TYPE, ["HostsDone: share", "number", "not bool"]),
    (lambda: untyped.HostsDone(2), VALUE, ["HostsDone: share", "1", "not 2"]),
    (lambda: untyped.HostsDone(-1), VALUE, ["HostsDone: share", "0", "not -1"]),
    (lambda: untyped.HostsDone(float("nan")), VALUE, ["HostsDone: share", "not nan"]),
    (lambda: untyped.Retries(attempts=-1), VALUE, ["Retries: attempts", "from 1", "not -1"]),
    (lambda: untyped.Retries(attempts="3"), TYPE, ["Retries: attempts", "whole number", "not str"]),
    (lambda: untyped.Retries(first=-1.0), VALUE, ["Retries: first", "not -1.0"]),
    (lambda: untyped.HttpOptions(connections="8"), TYPE, ["HttpOptions: connections", "whole number"]),
    (lambda: untyped.HttpOptions(headers=5), TYPE, ["HttpOptions: headers"]),
    (
        lambda: untyped.AppCredentials(bk_app_code="", bk_app_secret="x"),
        VALUE,
        ["AppCredentials: bk_app_code", "empty"],
    ),
    (
        lambda: untyped.AppCredentials(bk_app_code="x", bk_app_secret=" "),
        VALUE,
        ["AppCredentials: bk_app_secret", "empty"],
    ),
    (lambda: untyped.AccessToken(access_token=""), VALUE, ["AccessToken: access_token", "empty"]),
    (lambda: untyped.as_ref(b"2:100"), TYPE, ["a bytes names no job or step", "'2:100'"]),
    (
        lambda: operations.FastExecuteScript(scope=SCOPE, targets=HOST, timeout=0),
        VALUE,
        ["timeout", "from 1 to 259200", "not 0"],
    ),
    (lambda: untyped.FileSource(files=5), TYPE, ["files", "text", "not int"]),
    (lambda: untyped.FileSource(files=b"/data/a"), TYPE, ["files", "text", "not bytes"]),
    (lambda: untyped.FileSource(files="/a", server=[]), VALUE, ["server", "no host", HOST]),
    (lambda: untyped.Targets(topo_nodes=5), TYPE, ["topo_nodes", "TopoNode", "not int"]),
    (lambda: untyped.Targets(topo_nodes=[5]), TYPE, ["topo_nodes", "TopoNode", "not int"]),
    (lambda: untyped.Targets(kube_container_filters=5), TYPE, ["mapping", "not int"]),
]


@pytest.mark.parametrize(("slip", "error", "words"), VALUES)
async def test_a_value_is_refused_where_it_is_made(
    slip: Callable[[], Any], error: type[Exception], words: Sequence[str]
) -> None:
    """By its constructor, in the words of whoever wrote it."""
    said = await is_refused(slip, (), error)

    assert [word for word in words if word not in said] == []
