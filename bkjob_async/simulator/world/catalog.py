"""The stored items of a site besides its job plans: templates, accounts, scripts, crons, file sources."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

OFFLINE, ONLINE = 0, 1
SYSTEM_ACCOUNT, DATABASE_ACCOUNT = 1, 2


@frozen(kw_only=True)
class Template:
    """A job template; *plans* are the ids of the plans made from it."""

    id: int
    name: str
    plans: tuple[int, ...] = ()
    description: str = ""


@frozen(kw_only=True)
class SimulatedAccount:
    """An account on hosts: *category* 1 of the system, 2 of a database; *kind* 1 Linux, 2 Windows, 9 MySQL (`type`)."""

    id: int
    name: str
    alias: str = ""
    category: int = SYSTEM_ACCOUNT
    kind: int = 1
    system_account_id: int | None = None
    description: str | None = None


@frozen(kw_only=True)
class SimulatedScriptVersion:
    """One version of a script; *status* 1 is the one that is online."""

    id: int
    version: str
    content: str = field(repr=False)
    language: int = 1
    status: int = OFFLINE
    description: str = ""


@frozen(kw_only=True)
class SimulatedScript:
    """A script with its versions, newest first."""

    id: str
    name: str
    versions: tuple[SimulatedScriptVersion, ...]
    is_public: bool = False
    description: str = ""

    @property
    def language(self) -> int:
        """The language of its versions: 1 shell, 2 bat, 3 perl, 4 python, 5 powershell."""
        return self.versions[0].language

    @property
    def online(self) -> SimulatedScriptVersion | None:
        """The version that runs when only the script is named."""
        return next((version for version in self.versions if version.status == ONLINE), None)


@frozen(kw_only=True)
class Cron:
    """A plan that is started at set times; *is_on* False pauses it. *values* are those of its variables, by name."""

    id: int
    name: str
    plan_id: int
    expression: str | None = "0 4 * * ?"
    time_zone: str = "Asia/Shanghai"
    values: Mapping[str, str] = field(factory=dict, repr=False)
    is_on: bool = True


@frozen(kw_only=True)
class SimulatedCredential:
    """Credentials that file sources use; *kind* is their type (`type`). What is secret is not kept."""

    id: str
    name: str
    kind: str


@frozen(kw_only=True)
class FileSource:
    """A file source, named by its *code*."""

    id: int
    code: str
    alias: str = ""
    credential_id: str = ""
    is_public: bool = False
    is_on: bool = True


@frozen(kw_only=True)
class Catalog:
    """All that a site stores besides its job plans; every scope of the site has the same."""

    templates: tuple[Template, ...] = ()
    accounts: tuple[SimulatedAccount, ...] = ()
    scripts: tuple[SimulatedScript, ...] = ()
    crons: tuple[Cron, ...] = ()
    credentials: tuple[SimulatedCredential, ...] = ()
    file_sources: tuple[FileSource, ...] = ()
    creator: str = "admin"

    def template_of(self, plan_id: int) -> Template | None:
        """Return the template that a plan was made from."""
        return next((template for template in self.templates if plan_id in template.plans), None)

    def template(self, number: int) -> Template | None:
        """Return a template by its number."""
        return next((template for template in self.templates if template.id == number), None)

    def cron(self, number: int) -> Cron | None:
        """Return a cron by its number."""
        return next((cron for cron in self.crons if cron.id == number), None)

    def script(self, script_id: str, *, public: bool | None = None) -> SimulatedScript | None:
        """Return a script by its id; *public* says which ones are searched, None for all."""
        found = (script for script in self.scripts if public in (None, script.is_public))
        return next((script for script in found if script.id == script_id), None)

    def version(self, number: int) -> SimulatedScriptVersion | None:
        """Return a script version by its id."""
        return next((v for script in self.scripts for v in script.versions if v.id == number), None)

    def online_version(self, script_id: str) -> SimulatedScriptVersion | None:
        """Return the version of a script that is online."""
        script = self.script(script_id)
        return None if script is None else script.online


DEFAULT_CATALOG = Catalog(
    templates=(Template(id=100, name="usual jobs", plans=(1000, 1001), description="made up"),),
    accounts=(
        SimulatedAccount(id=1, name="root", alias="root"),
        SimulatedAccount(id=2, name="system", alias="system", kind=2),
        SimulatedAccount(
            id=6, name="dba", alias="dba", category=DATABASE_ACCOUNT, kind=9, system_account_id=1
        ),
    ),
    scripts=(
        SimulatedScript(
            id="c0ffee00000000000000000000000001",
            name="show the load",
            versions=(
                SimulatedScriptVersion(id=501, version="2.0", content="uptime", status=ONLINE),
                SimulatedScriptVersion(id=500, version="1.0", content="date; uptime"),
            ),
        ),
        SimulatedScript(
            id="c0ffee00000000000000000000000002",
            name="clean up",
            versions=(SimulatedScriptVersion(id=510, version="1.0", content="echo cleaned", status=ONLINE),),
            is_public=True,
        ),
    ),
    crons=(
        Cron(id=300, name="every night", plan_id=1000),
        Cron(id=301, name="on demand", plan_id=1001, is_on=False),
    ),
    credentials=(SimulatedCredential(id="c4ed", name="artifacts", kind="USERNAME_PASSWORD"),),
    file_sources=(FileSource(id=20, code="releases", alias="releases", credential_id="c4ed"),),
)
