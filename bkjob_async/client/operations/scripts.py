"""Read scripts stored on the platform, public ones and those of a scope."""

from __future__ import annotations

from bkjob_async.client.caller import Caller, build
from bkjob_async.client.operations.paged_list import USUAL_PAGE, PagedList, list_items
from bkjob_async.model.operations.stored_items import Script, ScriptVersion
from bkjob_async.model.operations.stored_queries import (
    GetPublicScriptList,
    GetPublicScriptVersionDetail,
    GetPublicScriptVersionList,
    GetScriptList,
    GetScriptVersionDetail,
    GetScriptVersionList,
)
from bkjob_async.model.refs import Scope


def get_script_list(
    client: Caller,
    *,
    name: str | None = None,
    script_language: int | None = None,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[Script]:
    """Return the scripts whose name contains *name*, for `async for`.

    *script_language* is a `ScriptLanguage`. Raises a `CallFailed` when iterated. Document: `get_script_list`.

    >>> [(script.id, script.name) async for script in client.get_script_list()]
    [('c0ffee00000000000000000000000001', 'show the load')]
    """
    query = build(
        GetScriptList,
        scope=client._needed_scope(scope),
        item_name=name,
        script_language=script_language,
        length=length,
    )
    return list_items(client, query, request_timeout)


def get_script_version_list(
    client: Caller,
    script_id: str | int,
    *,
    return_script_content: bool = False,
    length: int = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[ScriptVersion]:
    """Return the versions of a script, for `async for`.

    Their contents come only with *return_script_content*. Raises a `CallFailed` when iterated. Document:
    `get_script_version_list`.

    >>> versions = client.get_script_version_list("c0ffee00000000000000000000000001")
    >>> [(version.id, version.version) async for version in versions]
    [(501, '2.0'), (500, '1.0')]
    """
    query = build(
        GetScriptVersionList,
        scope=client._needed_scope(scope),
        script_id=str(script_id),
        return_script_content=return_script_content,
        length=length,
    )
    return list_items(client, query, request_timeout)


async def get_script_version_detail(
    client: Caller,
    *,
    id: int | None = None,  # noqa: A002 - the platform's word
    script_id: str | None = None,
    version: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> ScriptVersion:
    """Return one version of a script, by *id*, or by *script_id* and *version*.

    Its content is plain text. Raises a `CallFailed`. Document: `get_script_version_detail`.

    >>> version = await client.get_script_version_detail(id=501)
    >>> version.version, version.content
    ('2.0', 'uptime')
    """
    query = build(
        GetScriptVersionDetail, scope=client._needed_scope(scope), id=id, script_id=script_id, version=version
    )
    return await client._call(query, request_timeout)


def get_public_script_list(
    client: Caller,
    *,
    name: str | None = None,
    script_language: int | None = None,
    length: int = USUAL_PAGE,
    request_timeout: float | None = None,
) -> PagedList[Script]:
    """Return the public scripts whose name contains *name*, for `async for`.

    *script_language* is a `ScriptLanguage`. Raises a `CallFailed` when iterated. Document:
    `get_public_script_list`.

    >>> [script.name async for script in client.get_public_script_list()]
    ['clean up']
    """
    query = build(GetPublicScriptList, item_name=name, script_language=script_language, length=length)
    return list_items(client, query, request_timeout)


def get_public_script_version_list(
    client: Caller,
    script_id: str | int,
    *,
    return_script_content: bool = False,
    length: int = USUAL_PAGE,
    request_timeout: float | None = None,
) -> PagedList[ScriptVersion]:
    """Return the versions of a public script, for `async for`.

    Their contents come only with *return_script_content*. Raises a `CallFailed` when iterated. Document:
    `get_public_script_version_list`.

    >>> versions = client.get_public_script_version_list("c0ffee00000000000000000000000002")
    >>> [version.id async for version in versions]
    [510]
    """
    query = build(
        GetPublicScriptVersionList,
        script_id=str(script_id),
        return_script_content=return_script_content,
        length=length,
    )
    return list_items(client, query, request_timeout)


async def get_public_script_version_detail(
    client: Caller,
    *,
    id: int | None = None,  # noqa: A002 - the platform's word
    script_id: str | None = None,
    version: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> ScriptVersion:
    """Return one version of a public script, by *id*, or by *script_id* and *version*.

    Its content is plain text. *scope* is any that the user may see, by default the client's: `esb-job` needs one. Raises
    a `CallFailed`. Document: `get_public_script_version_detail`.

    >>> version = await client.get_public_script_version_detail(id=510)
    >>> version.name
    'clean up'
    """
    query = build(
        GetPublicScriptVersionDetail,
        id=id,
        script_id=script_id,
        version=version,
        scope=scope or client.scope,
    )
    return await client._call(query, request_timeout)
