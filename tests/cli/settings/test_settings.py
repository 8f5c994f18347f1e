"""An option wins over a variable, a variable over the profile; secrets have no option."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bkjob_async import Scope, UsageError
from bkjob_async.configuration.gathering import gather
from bkjob_async.configuration.profiles import choose_profile, load_profile
from bkjob_async.configuration.settings import OPTIONS, SECRETS, SETTINGS, Profile, resolve

SECRET = "not-to-be-seen"


def profile(**values: Any) -> Profile:
    """Return a profile with these values."""
    return Profile(name="prod", path=Path("config.toml"), values=values)


def test_the_strongest_source_of_each_setting_wins() -> None:
    """Each setting by itself; empty variables count as absent."""
    found = resolve(
        {"url": "http://option"},
        {"BKJOB_URL": "http://variable", "BKJOB_TENANT": "variable", "BKJOB_RATE": ""},
        profile(url="http://profile", tenant="profile", rate=5),
    )

    assert [found.get(name) for name in ("url", "tenant", "rate")] == ["http://option", "variable", 5.0]
    assert [found.found[name].source for name in ("url", "tenant", "rate")] == [
        "--url",
        "BKJOB_TENANT",
        "profile prod",
    ]


def test_business_and_business_set_exclude_each_other_at_one_place_only() -> None:
    """The stronger place decides which of them counts."""
    mixed = resolve({"biz": 2}, {"BKJOB_BIZ_SET": "9"}, profile(biz_set=8))

    assert mixed.scope == Scope.biz(2)
    assert resolve({}, {"BKJOB_BIZ_SET": "9"}, profile(biz=1)).scope == Scope.biz_set(9)
    with pytest.raises(UsageError, match="give --biz or --biz-set, not both"):
        resolve({}, {"BKJOB_BIZ": "1", "BKJOB_BIZ_SET": "9"}, None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BKJOB_BIZ", "two"),
        ("BKJOB_BIZ", "0"),
        ("BKJOB_BIZ", "2.5"),
        ("BKJOB_RATE", "-1"),
        ("BKJOB_RATE", "inf"),
    ],
)
def test_a_variable_that_is_no_number_is_named(variable: str, value: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=variable):
        resolve({}, {variable: value}, None)


@pytest.mark.parametrize("given", [9007199254740993, "9007199254740993", "9007199254740993\n"])
def test_a_long_id_is_not_that_of_another(given: int | str) -> None:
    """As it would be when it is read as a float."""
    from_file = (
        resolve({}, {}, profile(biz=given))
        if isinstance(given, int)
        else resolve({}, {"BKJOB_BIZ": given}, None)
    )

    assert from_file.scope == Scope.biz(9007199254740993)


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{SECRET}@bkapi.example.com/prod",
        f"https://{SECRET}@bkapi.example.com/prod",
        f"https://bkapi.example.com/prod?bk_token={SECRET}",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    """Wherever the URL was given."""
    for options, environ, from_file in (
        ({"url": url}, {}, None),
        ({}, {"BKJOB_URL": url}, None),
        ({}, {}, profile(url=url)),
    ):
        with pytest.raises(UsageError, match="may hold a secret") as refused:
            resolve(options, environ, from_file)
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        [SECRET],
        ["env:A", SECRET],
        7,
        [],
        "env:not a name",
        "command:pass",
        pytest.param("command:" + "[" * 100_000, id="nested"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(name: str, value: object) -> None:
    """A profile names where a secret is kept."""
    with pytest.raises(UsageError, match=r"env:NAME|command:") as refused:
        resolve({}, {}, profile(**{name: value}))

    assert SECRET not in str(refused.value)


def test_no_secret_has_an_option() -> None:
    """Arguments are visible in the list of processes."""
    assert not set(SECRETS) & set(OPTIONS)
    assert set(OPTIONS) < set(SETTINGS)


def test_a_file_may_have_a_default_profile(tmp_path: Path) -> None:
    """Another one is named; a name that is not there is an error, which tells the others."""
    path = tmp_path / "config.toml"
    path.write_text('default = "prod"\n[profiles.prod]\nbiz = 2\n[profiles.test]\nbiz = 3\n')

    assert load_profile(path, None) == Profile(name="prod", path=path, values={"biz": 2})
    assert load_profile(path, "test") == Profile(name="test", path=path, values={"biz": 3})
    with pytest.raises(UsageError, match="it has: prod, test"):
        load_profile(path, "stage")


def test_without_a_file_there_is_no_profile(tmp_path: Path) -> None:
    """Unless one is asked for."""
    assert load_profile(tmp_path / "none.toml", None) is None
    with pytest.raises(UsageError, match="does not exist"):
        load_profile(tmp_path / "none.toml", "prod")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"url": "http://x"}, r"'url' is not known there; write \[profiles.NAME\]"),
        ({"default": "prod", "profiles": {"prod": {"password": SECRET}}}, "'password' is not a setting"),
        ({"default": "prod", "profiles": {"prod": 7}}, "tables"),
        ({"default": 7, "profiles": {}}, "no profile 7"),
    ],
)
def test_a_file_with_other_things_is_refused(content: dict[str, Any], complaint: str) -> None:
    """A misspelt setting would be ignored in silence; values are not repeated."""
    with pytest.raises(UsageError, match=complaint) as refused:
        choose_profile(content, Path("config.toml"), None)

    assert SECRET not in str(refused.value)


def test_a_secret_in_another_profile_of_the_file_is_refused(tmp_path: Path) -> None:
    """It is in the file all the same."""
    path = tmp_path / "config.toml"
    path.write_text(f'[profiles.a]\nbiz = 2\n[profiles.b]\napp_secret = "{SECRET}"\n')

    for name in (None, "a", "b"):
        with pytest.raises(UsageError, match="app_secret of the profile b names a source") as refused:
            load_profile(path, name)
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "x = " + "9" * 5000, "\0", "x = 2024-13-45"])
def test_a_file_that_no_reader_takes_is_wrong_usage(tmp_path: Path, text: str) -> None:
    """Not a traceback of the parser."""
    path = tmp_path / "config.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match="is not TOML"):
        load_profile(path, None)


def test_a_number_that_no_float_has_is_wrong_usage() -> None:
    """With its place."""
    with pytest.raises(UsageError, match="rate of the profile prod is a positive number"):
        resolve({}, {}, profile(rate=10**400))


def test_a_file_that_is_not_toml_is_not_quoted(tmp_path: Path) -> None:
    """The wrong line may hold a secret."""
    path = tmp_path / "config.toml"
    path.write_text(f"[profiles.a]\napp_secret = {SECRET}\n")

    with pytest.raises(UsageError, match=r"is not TOML \(at line 2, column \d+\)$") as refused:
        load_profile(path, None)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("of_file", "of_folder", "remedy"),
    [
        (0o666, 0o700, "everybody may write it: chmod go-w .*config.toml"),
        (0o602, 0o700, "everybody may write it: chmod o-w .*config.toml"),
        (0o660, 0o700, "its group may write it: chmod go-w .*config.toml"),
        (0o600, 0o777, "everybody may write its folder: chmod go-w "),
        (0o600, 0o1777, None),
        (0o644, 0o775, None),
    ],
)
def test_a_file_that_others_may_write_is_refused(
    tmp_path: Path, of_file: int, of_folder: int, remedy: str | None
) -> None:
    """It names programs that are run; in a folder that everybody may write it can be replaced."""
    (tmp_path / "bkjob").mkdir()
    path = tmp_path / "bkjob" / "config.toml"
    path.write_text("")
    path.chmod(of_file)
    path.parent.chmod(of_folder)

    if remedy is None:
        assert load_profile(path, None) is None
    else:
        with pytest.raises(UsageError, match=remedy):
            load_profile(path, None)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_of_another_user_is_refused(tmp_path: Path, what: str) -> None:
    """Or one in a folder of another user, who can put another file in its place."""
    path = tmp_path / "config.toml"
    path.write_text("")
    os.chown(path if what == "file" else tmp_path, 12_345, -1)

    with pytest.raises(UsageError, match=r"another user owns .*: chown 0 "):
        load_profile(path, None)


def test_the_profile_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--profile` wins over it."""
    path = tmp_path / "config.toml"
    path.write_text("[profiles.a]\nbiz = 2\n[profiles.b]\nbiz = 3\n")
    monkeypatch.setenv("BKJOB_CONFIG", str(path))
    monkeypatch.setenv("BKJOB_PROFILE", "a")

    assert gather({}, None).get("biz") == 2
    assert gather({}, "b").get("biz") == 3


def test_a_dialect_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment or a file as well; click checks the option."""
    monkeypatch.setenv("BKJOB_CONFIG", "/nonexistent/config.toml")
    monkeypatch.setenv("BKJOB_DIALECT", "latin")

    with pytest.raises(UsageError, match="BKJOB_DIALECT: the dialects are esb-job"):
        gather({}, None)
