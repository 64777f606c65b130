"""What can go wrong in the module, and the exit code that each failure ends with.

ModuleError
├── SettingsError     exit 2: an environment variable, an argument or a file that it names
├── RunHungError           exit 1: run() took longer than SCORING_RUN_TIMEOUT_S
├── UnwritableError   exit 1: a file that is open cannot be written: the disk is full, or broken
├── TwinError         a desired patch is refused whole, the last good settings stay
├── TransportError    retried; exit 4 after SCORING_HUB_TIMEOUT_S
├── UnsendableError   this one output message can never be sent: its input goes to the quarantine
├── JournalError      stop acking and retry; exit 2 at start
│   ├── JournalDamagedError  exit 1: the next start saves what can be read
│   └── JournalLockedError   exit 4: another process has it
└── PackagingError    exit 1: the network, a registry, a hub, the disk, or something asked for is not there

Each message is one sentence that names what to change.
"""


class ModuleError(Exception):
    """Base of every failure that the module reports in one sentence.

    Attributes:
        exit_code: what the process ends with when this failure ends it.
    """

    exit_code = 1


class SettingsError(ModuleError):
    """A setting or an argument does not fit."""

    exit_code = 2


class RunHungError(ModuleError):
    """run() does not return; only a new process helps."""


class UnwritableError(ModuleError):
    """A file that was opened cannot be written to its end."""


class TwinError(ModuleError):
    """A desired-properties patch does not fit."""


class TransportError(ModuleError):
    """The hub cannot be reached, or refused something."""

    exit_code = 4


class UnsendableError(ModuleError):
    """An output message that no connection can carry."""


class JournalError(ModuleError):
    """The journal cannot be opened, read or written."""

    exit_code = 2


class JournalDamagedError(JournalError):
    """The journal turned out to be damaged while running; the next start saves what can be read."""

    exit_code = 1


class JournalLockedError(JournalError):
    """Another process has the journal."""

    exit_code = 4


class PackagingError(ModuleError):
    """Registering, building, pushing or deploying failed."""
