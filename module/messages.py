"""The messages that pass through the module: what came in and was accepted, and what goes out."""

import msgspec

OVERSIZE = 262_144
"""Bytes of body and properties that edgeHub accepts at most (iotedge `Constants.MaxMessageSize`)."""


class InputMessage(msgspec.Struct, frozen=True):
    """One routed message as edgeHub delivered it.

    Attributes:
        body: the bytes as they were sent.
        input: the module's input that it arrived on, such as ``amlInput``.
        system: system properties by their long names (``message_id``, ``correlation_id``, ``content_type``,
            ``content_encoding``, ``device_id``, ``module_id``, ``creation_time``, ``user_id``); absent ones left out.
        properties: application properties.
    """

    body: bytes
    input: str
    system: dict[str, str] = {}
    properties: dict[str, str] = {}


class OutputMessage(msgspec.Struct, frozen=True):
    """One message for an output of the module; attributes as in InputMessage."""

    body: bytes
    output: str
    system: dict[str, str] = {}
    properties: dict[str, str] = {}


class Accepted(msgspec.Struct, frozen=True):
    """A message that the inbox has taken charge of.

    Attributes:
        seq: its number in this inbox, ascending in the order of arrival.
        message: as it came.
        at: time.monotonic() of its acceptance, seconds.
        alone: a process died with it inside run(): it has to be alone there from now on.
        condemned: why it must not be scored at all; empty if it may.
        attempt: 1 if this process accepted it; 2 if an earlier one did, whose run() may have seen it.
    """

    seq: int
    message: InputMessage
    at: float
    alone: bool = False
    condemned: str = ""
    attempt: int = 1
