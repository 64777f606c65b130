"""Environment → frozen Settings, read once; docs/reference/settings.md and ``run --help`` are made from here."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, structs

from scoring import options
from scoring.bodies.forms import BodyOptions
from scoring.errors import OptionsError, meant
from scoring.options import NAME, Options

from .errors import SettingsError
from .logs import visible

_PREFIX = "SCORING_"
_SYNONYMS = {"SCORING_DIR": "AML_APP_ROOT", "SCORING_SCRIPT": "AZUREML_ENTRY_SCRIPT"}
_WORKSHOP = ("BASE_IMAGE", "LAYOUT", "MODEL_STORE", "VENV")
"""What only the commands read that build images, and the scripts of a clone."""

_MOST_NAMED, _LONGEST = 10, 64

Count = Annotated[int, Meta(ge=1, le=10**9)]
Seconds = Annotated[float, Meta(gt=0, le=1e9)]
Output = Annotated[str, Meta(min_length=1, pattern=NAME)]


class Settings(BodyOptions, frozen=True, kw_only=True):
    """Every setting of the module: what scoring may be told, and these; see there how the variables are named."""

    dir: Annotated[Path, Meta(description="directory with score.py or model.onnx")] = Path("/var/azureml-app")
    script: Annotated[str, Meta(description="file with init() and run(), relative to SCORING_DIR")] = "score.py"
    model_name: Annotated[str, Meta(description="property `model` of every prediction; empty: none")] = ""
    model_version: Annotated[str, Meta(description="property `modelVersion` of every prediction; empty: none")] = ""
    routes: Annotated[
        dict[str, Annotated[list[Output], Meta(min_length=1)]],
        Meta(description="JSON, input name → outputs; `*`: every input"),
    ] = msgspec.field(default_factory=lambda: {"*": ["amlOutput"]})
    errors_output: Annotated[
        str, Meta(min_length=1, pattern=NAME, description="output for messages that cannot be scored")
    ] = "errors"
    nothing_output: Annotated[
        str,
        Meta(pattern=NAME, description="output that is told of each message answered with NOTHING; empty: none"),
    ] = ""
    rows: Annotated[
        Literal["auto", "message"],
        Meta(description="`auto`: a JSON array of objects or arrays is a row each; `message`: one request"),
    ] = "auto"
    max_decoded_mb: Annotated[
        Count,
        Meta(description="memory of decoded bodies not yet answered at most, in MB, estimated; one may be larger"),
    ] = 256
    result: Annotated[
        Literal["message", "exact"],
        Meta(description="`message`: a text that is JSON leaves as that JSON; `exact`: as a JSON string"),
    ] = "message"
    nan: Annotated[
        Literal["null", "reject"], Meta(description="NaN and infinities leave as `null`, or `reject`: as an error")
    ] = "null"
    unwrap: Annotated[bool, Meta(description="1: a list of one element leaves as the element")] = False
    split: Annotated[bool, Meta(description="1: every element of a list leaves as a message of its own")] = False
    max_batch_size: Annotated[
        int,
        Meta(ge=0, description="requests in one run() at most, never more than the script's @batched says; 0: that"),
    ] = 0
    max_delay_ms: Annotated[
        float, Meta(ge=0, le=60_000, description="wait this long for a fuller batch; 0: take what waits")
    ] = 0
    transient_tries: Annotated[
        Count,
        Meta(description="tries of a message that fails for a reason outside of it, then it has to be shown to be one"),
    ] = 6
    delivery: Annotated[
        Literal["journal", "on-receipt"],
        Meta(description="`journal`: at least once; `on-receipt`: at most once, lost when the process dies"),
    ] = "journal"
    journal_sync: Annotated[
        Literal["normal", "full"], Meta(description="`normal` survives a killed process, `full` a power cut")
    ] = "normal"
    max_waiting: Annotated[Count, Meta(description="accepted messages not yet answered at most")] = 100_000
    max_waiting_mb: Annotated[Count, Meta(description="their bytes at most, in MB")] = 256
    max_quarantined: Annotated[Count, Meta(description="messages that could not be scored, kept at most")] = 1000
    max_unconfirmed: Annotated[int, Meta(ge=1, le=50_000, description="outputs sent and not yet confirmed at most")] = (
        64
    )
    hub_timeout_s: Annotated[Seconds, Meta(description="exit 4 after this long without a connection")] = 3600.0
    stall_timeout_s: Annotated[Seconds, Meta(description="a connection that confirms nothing this long is dead")] = 60.0
    run_timeout_s: Annotated[Seconds, Meta(description="a run() that takes longer hangs: exit 1, with its stack")] = (
        300.0
    )
    init_timeout_s: Annotated[
        Seconds, Meta(description="an init() that takes longer hangs: exit 3, with its stack")
    ] = 600.0
    stop_timeout_s: Annotated[Seconds, Meta(description="SIGTERM to exit at most; Docker kills at 10")] = 8.0
    http_port: Annotated[int, Meta(ge=0, le=65535, description="/metrics, /livez, /readyz; 0: none")] = 9600
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="least level logged; ONNX Runtime's warnings at `debug`"),
    ] = "info"
    log_format: Annotated[
        Literal["edge", "json", "text"], Meta(description="`edge`: as edgeAgent's log upload filters it")
    ] = "edge"

    def __post_init__(self) -> None:
        """Keep what was scored, what was not, and what is answered with nothing apart.

        Raises:
            OptionsError: two of them would leave on one output.
        """
        predictions = {output for outputs in self.routes.values() for output in outputs}
        for name, output in (("ERRORS", self.errors_output), ("NOTHING", self.nothing_output)):
            if output in predictions:
                said = f"SCORING_{name}_OUTPUT is {output!r}, where predictions leave by SCORING_ROUTES"
                raise OptionsError(f"{said}: name another output")
        if self.errors_output == self.nothing_output:
            said = f"SCORING_NOTHING_OUTPUT is {self.nothing_output!r}, where errors leave by SCORING_ERRORS_OUTPUT"
            raise OptionsError(f"{said}: name another output")


class Described(msgspec.Struct, frozen=True):
    """One row of the settings table."""

    name: str
    default: str
    description: str


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables; an empty one counts as not set.

    Raises:
        SettingsError: a value does not fit, or SCORING_DIR is no directory; the sentence names the variable.
    """
    try:
        settings = options.read(Settings, environment, _SYNONYMS)
    except OptionsError as error:
        raise SettingsError(str(error)) from error
    # A script's folder becomes the working directory: what is relative now would mean something else then.
    settings = structs.replace(settings, journal_dir=settings.journal_dir.absolute())
    if not os.path.isdir(settings.dir):  # Path's own raises where the name is too long
        said = f"SCORING_DIR is {str(settings.dir)[:200]!r}, which is no directory"
        raise SettingsError(f"{said}: set it to the one with score.py")
    if not os.access(settings.dir, os.X_OK):
        raise SettingsError(f"SCORING_DIR is {str(settings.dir)!r}, which this user has no permission to use")
    return settings


def unknown(environment: Mapping[str, str]) -> list[str]:
    """Name the variables that look like settings and are none, in a sentence each, ten at most.

    None of them stops anything: one may be somebody else's, as Kubernetes has them for a service called scoring. Their
    values may be secrets, and are not told; an empty one counts as not set.
    """
    known = [*(name.upper() for name in Settings.__struct_fields__), *_WORKSHOP]
    names = [name for name, text in environment.items() if text and name.upper().startswith(_PREFIX)]
    wrong = [name for name in names if name not in {f"{_PREFIX}{each}" for each in known}]
    return [
        f"{visible(name[:_LONGEST])} is no setting{meant(name[len(_PREFIX) :].upper(), known, _PREFIX)}"
        for name in wrong[:_MOST_NAMED]
    ]


def describe() -> list[Described]:
    """Give name, default and meaning of every setting: the module's own, then those that scoring reads."""
    defaults, rows = Settings(), []
    shared = (*BodyOptions.__struct_fields__, *Options.__struct_fields__)
    for field, hint in sorted(options.hints(Settings).items(), key=lambda pair: shared.count(pair[0])):
        meta = next(m for m in reversed(get_args(hint)) if isinstance(m, Meta) and m.description)
        default = getattr(defaults, field)
        text = msgspec.json.encode(default).decode() if isinstance(default, dict) else str(default)
        text = str(int(default)) if isinstance(default, bool) else text
        rows.append(Described(f"{_PREFIX}{field.upper()}", text, str(meta.description)))
    return rows
