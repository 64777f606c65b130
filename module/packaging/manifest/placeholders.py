"""Placeholders of deployment templates in iotedgedev's conventions: ``$NAME``, ``${NAME}``, ``${MODULES.name}``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ...errors import SettingsError
from ..route_language.conditions import CONDITION_NAMES

_ANY = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_]\w*))")
# Names in small letters are edgeHub's own there: $upstream, $body, $connectionModuleId, $edgeAgent. It takes its own
# in capitals too.
_IN_ROUTES = re.compile(r"\$(?:\{([^}]*)\}|([A-Z]\w*))")
_EDGE_HUBS = {"upstream", "body", *CONDITION_NAMES}

_PLATFORMS = ("amd64", "arm32v7", "arm64v8")  # those of iotedgedev; a module.json may name others


class Expansion:
    """Puts values in the place of placeholders, and remembers those that have none.

    Attributes:
        missing: ``NAME at place`` for each placeholder that is not set or empty.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.missing: list[str] = []

    def __call__(self, value: Any, place: str = "", *, in_routes: bool = False) -> Any:
        """Give a copy of a JSON value with its placeholders filled in; a filled-in value is not looked at again."""
        if isinstance(value, dict):
            return {
                self._text(key, place, _IN_ROUTES): self(
                    inner, f"{place}.{key}" if place else key, in_routes=in_routes or key == "$edgeHub"
                )
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self(inner, f"{place}[{at}]", in_routes=in_routes) for at, inner in enumerate(value)]
        return self._text(value, place, _IN_ROUTES if in_routes else _ANY) if isinstance(value, str) else value

    def _text(self, text: str, place: str, pattern: re.Pattern[str]) -> str:
        def value_of(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            value = self._values.get(name, "")
            if not value and found[2] and pattern is _IN_ROUTES and name.lower() in _EDGE_HUBS:
                return found[0]
            if not value:
                self.missing.append(f"{found[0]} at {place}")
            return value

        return pattern.sub(value_of, text)


class _ImageTag(msgspec.Struct):
    version: str
    platforms: dict[str, str] = {}


class _Image(msgspec.Struct):
    repository: str
    tag: _ImageTag


class _ModuleFile(msgspec.Struct):
    image: _Image


def module_images(
    folder: Path, platform: str, values: Mapping[str, str], values_from: str = "the environment"
) -> dict[str, str]:
    """Give the values of ``MODULES.name`` and ``MODULES.name.platform`` from ``modules/*/module.json`` in a folder.

    Args:
        folder: where the template is.
        platform: what ``MODULES.name`` without a platform means, such as ``amd64``.
        values: what placeholders inside the repositories stand for.
        values_from: where they are written, for the sentence that misses one.

    Raises:
        SettingsError: a module.json has another form, a placeholder in it has no value, or no module is for the
            platform.
    """
    images, platforms = {}, dict.fromkeys(_PLATFORMS)
    for path in sorted(folder.glob("modules/*/module.json")):
        try:
            image = msgspec.json.decode(path.read_bytes(), type=_ModuleFile).image
        except (OSError, msgspec.DecodeError) as error:
            raise SettingsError(f"{path} does not name an image as iotedgedev's module.json does: {error}") from error
        expand = Expansion(values)
        repository = expand(image.repository, str(path))
        if expand.missing:
            raise SettingsError(f"set these in {values_from}: {'; '.join(expand.missing)}")
        platforms |= dict.fromkeys(image.tag.platforms)
        for built in image.tag.platforms:
            images[f"MODULES.{path.parent.name}.{built}"] = f"{repository}:{image.tag.version}-{built}"
        if platform in image.tag.platforms:
            images[f"MODULES.{path.parent.name}"] = images[f"MODULES.{path.parent.name}.{platform}"]
    if platform not in platforms:
        raise SettingsError(f"--platform {platform!r} is none of a module here: write one of {', '.join(platforms)}")
    return images
