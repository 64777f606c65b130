"""Placeholders of deployment templates in iotedgedev's conventions: ``$NAME``, ``${NAME}``, ``${MODULES.name}``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from ...errors import SettingsError
from ..route_language.conditions import CONDITION_NAMES

# Two dollar signs before a name are one that is meant.
_ANY = re.compile(r"(\$+)(?:\{([^}]*)\}|([A-Za-z_]\w*))")
# Names in small letters are edgeHub's own there: $upstream, $body, $connectionModuleId, $edgeAgent. It takes its own
# in capitals too.
_IN_ROUTES = re.compile(r"(\$+)(?:\{([^}]*)\}|([A-Z]\w*))")
_BRACED = re.compile(r"(\$+)\{([^}]*)\}()")  # how a deployment has them: a password may have a $ in it
_SECRET = re.compile(
    r"passw|passphrase|secret|credential|token|connection_?string|(access|account|api|shared|private)_?key"
    r"|(?<![a-z])(pass|pwd|key|sas)(?![a-z])",
    re.IGNORECASE,
)
_LONGEST = 64  # characters of a variable's name that are looked at
_EDGE_HUBS = {"upstream", "body", *CONDITION_NAMES}

_PLATFORMS = ("amd64", "arm32v7", "arm64v8")  # those of iotedgedev; a module.json may name others


class Expansion:
    """Puts values in the place of placeholders, and remembers those that have none.

    A secret is what its name says, or the last two names of its place, or the variable that it is given to
    (``DB_PASSWORD=$PW``): so one is known again in a deployment that has ``${PW}`` in its place.

    Attributes:
        missing: ``NAME at place`` for each placeholder that is not set or empty.
        secrets: names of the placeholders that stand for secrets, in order.
    """

    def __init__(self, values: Mapping[str, str], only: Literal["all", "secret", "public"] = "all") -> None:
        """Take the values, and which are filled in: all, all but secrets, which get braces, or those in braces."""
        self._values, self._only = values, only
        self.missing: list[str] = []
        self.secrets: dict[str, None] = {}

    def __call__(self, value: Any, place: str = "", *, in_routes: bool = False) -> Any:
        """Give a copy of a JSON value, filled in; what is filled in is not looked at again, but module.json's text."""
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
        tail = ".".join(place.split(".")[-2:])
        if self._only == "secret":
            pattern = _BRACED

        def value_of(found: re.Match[str]) -> str:
            dollars, name = found[1], found[2] or found[3] or ""
            of_module = name.startswith(("MODULES.", "MODULEDIR<"))
            meant, value = "$" * (len(dollars) // 2), self._values.get(name, "")
            before = text[max(0, found.start() - _LONGEST) : found.start()]
            variable = re.search(r"\w*=?$", before)
            said = f"{tail} {variable[0] if variable else ''} {name}"
            is_secret = not of_module and _SECRET.search(said) is not None
            if not value and found[3] and pattern is _IN_ROUTES and name.lower() in _EDGE_HUBS:
                return meant + found[0][len(meant) * 2 :]
            if self._only == "secret" and not is_secret:
                return found[0]
            if self._only == "public" and is_secret and (found[2] or len(dollars) % 2):
                return f"{dollars}{{{name}}}"
            if len(dollars) % 2 == 0:
                return meant + found[0][len(dollars) :]
            if is_secret:
                self.secrets[name] = None
            if not value:
                known = ", which no module.json names" if of_module else ""
                self.missing.append(f"${found[0].lstrip('$')} at {place}{known}")
            return meant + (self._text(value, f"{place} (module.json)", _ANY) if of_module else value)

        return pattern.sub(value_of, text)


class _ImageTag(msgspec.Struct):
    version: str
    platforms: dict[str, str] = {}


class _Image(msgspec.Struct):
    repository: str
    tag: _ImageTag


class _ModuleFile(msgspec.Struct):
    image: _Image


def module_images(template: Path, platform: str) -> dict[str, str]:
    """Give the values of ``MODULES.name``, ``MODULEDIR<folder>`` and these with ``.platform`` or ``.debug``.

    There may be placeholders in them, as iotedgedev has it.

    Args:
        template: beside it is ``modules/*/module.json``, and from it the folders are looked for that it names.
        platform: what is meant without a platform, such as ``amd64``.

    Raises:
        SettingsError: a module.json has another form, or no module is for the platform.
    """
    images, platforms = {}, dict.fromkeys(_PLATFORMS)
    folder, named = template.parent, re.findall(r"\$\{(MODULEDIR<([^>}]*)>)", template.read_text("utf-8-sig"))
    files = {f"MODULES.{path.parent.name}": path for path in sorted(folder.glob("modules/*/module.json"))}
    files |= {name: path for name, place in named if (path := folder / place / "module.json").is_file()}
    for name, path in files.items():
        try:
            image = msgspec.json.decode(path.read_bytes(), type=_ModuleFile).image
        except (OSError, msgspec.DecodeError) as error:
            raise SettingsError(f"{path} does not name an image as iotedgedev's module.json does: {error}") from error
        platforms |= dict.fromkeys(image.tag.platforms)
        for built in image.tag.platforms:
            images[f"{name}.{built}"] = f"{image.repository}:{image.tag.version}-{built}"
        for short, built in (("", platform), (".debug", f"{platform}.debug")):
            if built in image.tag.platforms:
                images[f"{name}{short}"] = images[f"{name}.{built}"]
    if platform not in platforms:
        raise SettingsError(f"--platform {platform!r} is none of a module here: write one of {', '.join(platforms)}")
    return images
