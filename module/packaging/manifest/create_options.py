"""createOptions: how edgeAgent asks the container engine for the module's container, and how a twin carries them."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from scoring.options import misfit

from ...errors import SettingsError
from ...settings import Settings

PIECE = 512
"""Characters in one text of a twin at most, as edgeAgent and iotedgedev split it (`TWIN_VALUE_MAX_SIZE`)."""

_PIECES = 8
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LEAST_MEMORY = 6 << 20  # what Docker takes at least


class _HostConfig(msgspec.Struct):
    mounts: list[dict[str, Any]] | None = msgspec.field(name="Mounts", default=None)
    binds: list[str] | None = msgspec.field(name="Binds", default=None)


class _Options(msgspec.Struct):
    """What is read of createOptions; all else is the container engine's."""

    host_config: _HostConfig = msgspec.field(name="HostConfig", default_factory=_HostConfig)


def settings_of(agent: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give name and settings of every module that ``$edgeAgent`` has, be it a whole deployment's or a layer's."""
    for key, value in agent.items():
        if isinstance(value, dict):
            settings = value.get("settings")
            if isinstance(settings, dict) and "image" in settings:
                yield key.rpartition(".")[2], settings
            else:
                yield from settings_of(value)


def join_all(content: dict[str, Any]) -> None:
    """Make every module's createOptions one object, where it stands; raises as ``join()`` does."""
    for name, settings in settings_of(content.get("$edgeAgent", {})):
        whole = join(name, settings)
        for key in [key for key in settings if key.startswith("createOptions")]:
            del settings[key]
        settings["createOptions"] = whole


def split_all(content: dict[str, Any]) -> None:
    """Write every module's createOptions in pieces again, where it stands; raises as ``split()`` does."""
    for name, settings in settings_of(content.get("$edgeAgent", {})):
        settings.update(split(name, settings.pop("createOptions")))


def join(module: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Give a module's createOptions as one object, written as an object or as text in pieces.

    Raises:
        SettingsError: they are no JSON object, or what is read of them has another form.
    """
    whole = settings.get("createOptions", {})
    if isinstance(whole, str):
        pieces = [whole, *(settings.get(f"createOptions{at:02}", "") for at in range(1, _PIECES))]
        try:
            whole = json.loads("".join(map(str, pieces)) or "{}")
        except ValueError as error:
            raise SettingsError(f"createOptions of module {module} are not JSON: {error}") from error
    try:
        msgspec.convert(whole, _Options)
    except msgspec.ValidationError as error:
        raise SettingsError(f"createOptions of module {module} do not fit: {misfit(error)}") from error
    return dict(whole)


def split(module: str, options: dict[str, Any]) -> dict[str, str]:
    """Give createOptions as ``createOptions``, ``createOptions01``… of 512 characters each.

    Raises:
        SettingsError: they take more than eight.
    """
    text = json.dumps(options, separators=(",", ":"))
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    if len(pieces) > _PIECES:
        raise SettingsError(
            f"createOptions of module {module} have {len(text)} characters, shorten them to {PIECE * _PIECES}"
        )
    return {f"createOptions{at:02}" if at else "createOptions": piece for at, piece in enumerate(pieces)}


def for_scoring(
    module: str, settings: Settings, options: dict[str, Any], *, gpu: bool, memory: int | None
) -> dict[str, Any]:
    """Give the scoring module's createOptions with what is missing added; what is written stays.

    The journal's directory gets a named volume unless something is mounted there. ``StopTimeout`` are the seconds that
    the module needs from SIGTERM to its end: edgeAgent's own limit is 10.

    Args:
        module: its name.
        settings: what its environment in the container makes.
        options: as written in the template.
        gpu: ask for the device's GPUs.
        memory: limit in bytes.
    """
    journal_dir = settings.journal_dir.as_posix()
    host = dict(options.get("HostConfig", {}))
    mounts = host.get("Mounts") or []
    mounted = {str(mount.get("Target")) for mount in mounts}
    mounted |= {part for bind in host.get("Binds") or [] for part in str(bind).split(":")[1:2]}
    if journal_dir not in mounted:
        host["Mounts"] = [*mounts, {"Type": "volume", "Source": f"{module}-journal", "Target": journal_dir}]
    if gpu and "Runtime" not in host:
        host.setdefault("DeviceRequests", [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}])
    if memory is not None:
        host["Memory"] = memory
    return {"StopTimeout": math.ceil(settings.stop_timeout_s) + 2, **options, "HostConfig": host}


def memory_bytes(text: str) -> int:
    """Give the bytes of a size written as Docker takes it, such as ``512m`` or ``2g``.

    Raises:
        SettingsError: it is none, or less than the 6 MB that Docker demands.
    """
    found = re.fullmatch(r"(\d+)([bkmg]?)b?", text.strip().lower())
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if size < _LEAST_MEMORY:
        raise SettingsError(f"--memory {text!r} is not a size of at least 6m: write it like 512m or 2g")
    return size
