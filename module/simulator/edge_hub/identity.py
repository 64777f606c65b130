"""Who may connect: one module of one device, with its key (edgeHub `MqttUsernameParser.cs`)."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from . import sas
from .packets import Connect


@dataclass(frozen=True, slots=True)
class Identity:
    """A module's identity: host name of the IoT hub, device id, module id, symmetric key."""

    iothub: str
    device: str
    module: str
    key: bytes

    @property
    def client_id(self) -> str:
        """What it calls itself over MQTT."""
        return f"{self.device}/{self.module}"

    @property
    def topics(self) -> str:
        """The beginning of its own topics."""
        return f"devices/{self.device}/modules/{self.module}"

    def token_expiry(self, packet: Connect, now: float) -> float:
        """Give when the token of this CONNECT expires, in seconds since the epoch.

        Raises:
            sas.TokenError: it is another identity, or the token does not open the hub.
        """
        *names, query = packet.user_name.split("/")[1:] or [""]
        if packet.client_id != self.client_id or names != [self.device, self.module]:
            raise sas.TokenError(f"{packet.client_id!r} as {packet.user_name!r} is not {self.client_id}")
        if not parse_qs(query.removeprefix("?")).get("api-version"):
            raise sas.TokenError(f"the user name {packet.user_name!r} has no api-version")
        return sas.check(packet.password, self.key, f"{self.iothub}/{self.topics}", now)
