"""The module's desired properties: the settings that may differ from device to device, in camelCase and nested.

``batch.maxSize`` stands for ``SCORING_MAX_BATCH_SIZE``; names, types and limits are those of ``settings.Settings``.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scoring import options
from scoring.errors import OptionsError

from ...errors import SettingsError
from ...settings import Settings, describe

PLACES = {
    "batch.maxSize": "max_batch_size",
    "batch.maxDelayMs": "max_delay_ms",
    "batch.merge": "merge",
    "routes": "routes",
    "errorsOutput": "errors_output",
    "nothingOutput": "nothing_output",
    "rows": "rows",
    "body": "body",
    "maxBodyMb": "max_body_mb",
    "maxDecodedMb": "max_decoded_mb",
    "result": "result",
    "nan": "nan",
    "unwrap": "unwrap",
    "split": "split",
    "model.name": "model_name",
    "model.version": "model_version",
    "journal.maxWaiting": "max_waiting",
    "journal.maxWaitingMb": "max_waiting_mb",
    "journal.maxQuarantined": "max_quarantined",
    "hub.maxUnconfirmed": "max_unconfirmed",
    "hub.timeoutS": "hub_timeout_s",
    "hub.stallTimeoutS": "stall_timeout_s",
    "run.timeoutS": "run_timeout_s",
    "run.transientTries": "transient_tries",
    "log.level": "log_level",
    "log.format": "log_format",
}
"""Place in the twin → field of Settings; what is not here is set by the container's environment alone."""


def check_desired(module: str, desired: dict[str, Any]) -> None:
    """Check the desired properties of the scoring module against the settings.

    Raises:
        SettingsError: a name is unknown, or a value does not fit; named by its place.
    """
    hints = options.hints(Settings)
    for place, value in leaves(desired):
        if place not in PLACES:
            raise SettingsError(f"desired property {place} of module {module} is unknown{_instead(place, PLACES)}")
        try:
            msgspec.convert(value, type=hints[PLACES[place]])
        except msgspec.ValidationError as error:
            written, reason = msgspec.json.encode(value).decode(), options.misfit(error, hints[PLACES[place]])
            raise SettingsError(f"desired property {place} of module {module} is {written}: {reason}") from error


def unheard(module: str, desired: dict[str, Any]) -> Iterator[str]:
    """Say which desired properties change nothing, because this version of the module does not read its twin."""
    for place, _ in leaves(desired):
        yield (
            f"desired property {place} changes nothing yet, this version reads no twin: write SCORING_"
            f"{PLACES[place].upper()} under env of module {module} in the template"
        )


def settings_in(module: str, env: Mapping[str, Any]) -> Settings:
    """Give the settings that the ``env`` of the scoring module makes, as the module itself would read it.

    Raises:
        SettingsError: a ``SCORING_…`` variable is no setting, or its value does not fit.
    """
    known = [row.name for row in describe()]
    for name, each in env.items():
        if not isinstance(each, dict):
            raise SettingsError(f'env {name} of module {module} is no JSON object: write {{"value": …}}')
        if name.startswith("SCORING_") and name not in known:
            raise SettingsError(f"env {name} of module {module} is no setting{_instead(name, known)}")
    try:
        return options.read(Settings, {name: str(each.get("value", "")) for name, each in env.items()})
    except OptionsError as error:
        raise SettingsError(f"env of module {module}: {error}") from error


def put(desired: dict[str, Any], place: str, text: str) -> None:
    """Set ``place`` (such as ``batch.maxSize``) to a value written as JSON or, where that fails, as plain text."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    *parents, last = place.split(".")
    for parent in parents:
        inner = desired.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"--set {place}: {parent} is a value already, not a group")
        desired = inner
    desired[last] = value


def leaves(desired: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give ``(place, value)`` of every desired property, such as ``("batch.maxSize", 64)``."""
    for key, value in desired.items():
        place = f"{above}{key}"
        if isinstance(value, dict) and place not in PLACES:
            yield from leaves(value, f"{place}.")
        else:
            yield place, value


def _instead(name: str, known: Mapping[str, str] | list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {near[0]}?" if near else f": there are {', '.join(known)}"
