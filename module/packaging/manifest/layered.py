"""A layered deployment: one module, its routes and its twin, put on top of a base deployment on the device."""

from collections.abc import Mapping
from typing import Any

from ..route_language.route import ParsedRoute
from .module_twin import leaves

_DESIRED = "properties.desired"


def layer(content: dict[str, Any], routes: Mapping[str, ParsedRoute], ours: str) -> dict[str, Any]:
    """Give ``modulesContent`` of the layer with our module out of a whole deployment's.

    Each value gets a key of its own, ``properties.desired.modules.<module>``: a plain ``properties.desired`` would
    overwrite what the layers below say. Routes come along that lead to our module or take messages from it; the
    registry credentials come along too, because the base may have none for this registry.
    """
    agent, hub = content["$edgeAgent"][_DESIRED], content["$edgeHub"][_DESIRED]
    credentials = agent["runtime"]["settings"].get("registryCredentials", {})
    mine = [name for name, each in routes.items() if each.endpoint.module == ours or each.is_from(ours)]
    result: dict[str, Any] = {
        "$edgeAgent": {
            f"{_DESIRED}.modules.{ours}": agent["modules"][ours],
            **{f"{_DESIRED}.runtime.settings.registryCredentials.{name}": entry for name, entry in credentials.items()},
        },
        "$edgeHub": {f"{_DESIRED}.routes.{name}": hub["routes"][name] for name in mine},
    }
    if twin := content[ours][_DESIRED]:
        result[ours] = {f"{_DESIRED}.{place}": value for place, value in leaves(twin)}
    return result


def is_layered(content: dict[str, Any]) -> bool:
    """Say whether ``modulesContent`` is a layer: no module of it has its whole ``properties.desired`` (az iot edge)."""
    return _DESIRED not in content.get("$edgeAgent", {})
