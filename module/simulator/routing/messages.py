"""A message inside the hub, and how its properties look on the wire and in a route's condition.

Sources: edgeHub `SystemProperties.cs`, `RoutingMessageConverter.cs`, `ProtocolGatewayMessageConverter.cs`.
"""

from collections.abc import Mapping
from contextlib import suppress

import msgspec
import orjson

from ...messages import OVERSIZE, InputMessage
from ...packaging.route_language.conditions import CONDITION_NAMES
from ...property_bag import SENDER, SYSTEM_PROPERTIES, decode_bag, encode_bag

_ALL = SYSTEM_PROPERTIES | {
    "$.to": "to",
    "$.schema": "message_schema",
    "$.ifid": "interface_id",
    "$.sub": "component_name",
    "$.on": "output_name",
    "ack": "ack",
    "iothub-operation": "operation",
}
_FROM_MODULE = {wire: name for wire, name in _ALL.items() if name not in SENDER}
_TO_MODULE = {name: wire for wire, name in _ALL.items() if name not in {"output_name", "interface_id"}}

_CONDITION_OF = {ours: theirs for theirs, ours in CONDITION_NAMES.items()}
_ADDED_BY_HUB = len("edgeMessageId") + 36 + len("edgeHubOriginInterface") + len("downstream")
_ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_UNREAD = object()


class RoutedMessage(msgspec.Struct):
    """One message on its way through the hub.

    Attributes:
        body: the bytes as they were sent.
        source: ``/messages/`` or ``/messages/modules/m/outputs/o/``, in small letters, what a FROM is compared to.
        system: system properties by long names, as in ``module.messages.InputMessage``, and ``output_name``.
        properties: application properties.
    """

    body: bytes
    source: str
    system: dict[str, str]
    properties: dict[str, str]
    _document: object = _UNREAD

    @property
    def document(self) -> dict[str, object] | None:
        """Give the JSON object in the body; None if type, encoding or body do not say so (`Message.GetQueryValue`)."""
        if self._document is _UNREAD:
            self._document = None
            encoding = _ENCODINGS.get(self.system.get("content_encoding", "").lower())
            if encoding is not None and self.system.get("content_type", "").lower() == "application/json":
                with suppress(ValueError):
                    self._document = orjson.loads(self.body.decode(encoding))
        return self._document if isinstance(self._document, dict) else None

    @property
    def oversize(self) -> bool:
        """Say whether edgeHub would refuse it: body and all properties over 262,144 bytes (`Message.Size`)."""
        if len(self.body) < OVERSIZE // 2:
            return False
        size = len(self.body) + _ADDED_BY_HUB
        size += sum(len(key) + len(value) for key, value in self.properties.items())
        size += sum(len(_CONDITION_OF[key]) + len(value) for key, value in self.system.items() if key in _CONDITION_OF)
        return size > OVERSIZE


def from_device(message: InputMessage, device: str, creation_time: str) -> RoutedMessage:
    """Give the message as it enters the hub from a leaf device, or from the module that its system properties name."""
    system = {"device_id": device, "creation_time": creation_time, **message.system}
    return RoutedMessage(message.body, _source(system), system, message.properties)


def from_module(body: bytes, bag: str, device: str, module: str, creation_time: str) -> RoutedMessage:
    """Give the message that a module published with this property bag."""
    system = {"device_id": device, "module_id": module, "creation_time": creation_time}
    properties = {}
    for key, value in decode_bag(bag):
        name = _FROM_MODULE.get(key)
        if name is None:
            properties[key] = value
        else:
            system[name] = value
    return RoutedMessage(body, _source(system), system, properties)


def _source(system: Mapping[str, str]) -> str:
    module, output = system.get("module_id"), system.get("output_name")
    source = f"/messages/modules/{module}/" if module else "/messages/"
    return (f"{source}outputs/{output}/" if module and output else source).lower()


def bag_for_module(message: RoutedMessage) -> str:
    """Encode the properties of a message that goes to a module's input."""
    system = {_TO_MODULE[name]: value for name, value in message.system.items() if name in _TO_MODULE}
    return encode_bag(message.properties | system)
