"""The platform's small enumerations; each argument that takes one accepts plain ints."""

from enum import IntEnum


class ScriptLanguage(IntEnum):
    """What a script is written in (`script_language`)."""

    SHELL = 1
    BAT = 2
    PERL = 3
    PYTHON = 4
    POWERSHELL = 5


class TransferMode(IntEnum):
    """What happens when the target directory of a file is missing (`transfer_mode`).

    STRICT fails, FORCE creates it.
    """

    STRICT = 1
    FORCE = 2


class FileSourceType(IntEnum):
    """Where files come from (`file_type`): hosts, an upload to the platform, or a third-party source."""

    SERVER = 1
    LOCAL = 2
    THIRD_PARTY = 3


class AccountCategory(IntEnum):
    """What an account is for: an operating system or a database."""

    SYSTEM = 1
    DATABASE = 2


class ScriptStatus(IntEnum):
    """The state of a version of a script."""

    NOT_ONLINE = 0
    ONLINE = 1
    OFFLINE = 2
    DISABLED = 3


class RollingType(IntEnum):
    """What is divided into batches: the targets, or the sources of files."""

    TARGET = 1
    FILE_SOURCE = 2


class RollingMode(IntEnum):
    """What happens after each batch."""

    PAUSE_IF_FAIL = 1
    IGNORE_FAIL = 2
    MANUAL = 3


class RollingExecution(IntEnum):
    """How the batches follow each other."""

    SERIAL = 1
    PARALLEL = 2


class JobOperation(IntEnum):
    """What can be done to a job instance: TERMINATE while it runs or waits, START while it is pending."""

    TERMINATE = 1
    START = 2


class StepType(IntEnum):
    """The kinds of steps."""

    SCRIPT = 1
    FILE = 2
    CONFIRM = 3
    SQL = 4


class LaunchMode(IntEnum):
    """How a job was started."""

    WEB = 1
    API = 2
    CRON = 3


class TaskType(IntEnum):
    """What a job instance is: a plan's run, a quick script, a quick file transfer."""

    PLAN = 0
    SCRIPT = 1
    FILE = 2


class LogType(IntEnum):
    """The kind of a log."""

    SCRIPT = 1
    FILE = 2


class FileMode(IntEnum):
    """The side of a file transfer that a log is from."""

    UPLOAD = 0
    DOWNLOAD = 1


class FileStatus(IntEnum):
    """The state of the transfer of one file."""

    PULLING = 0
    WAITING = 1
    UPLOADING = 2
    DOWNLOADING = 3
    FINISHED = 4
    FAILED = 5


class VariableType(IntEnum):
    """The kinds of global variables."""

    STRING = 1
    NAMESPACE = 2
    HOSTS = 3
    CIPHER = 4
    ASSOCIATIVE_ARRAY = 5
    INDEX_ARRAY = 6
