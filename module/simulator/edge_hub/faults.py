"""Faults that a test can switch on while the hub runs."""

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """What goes wrong; change the attributes at any time.

    Attributes:
        refuse_connects: refuse the next N CONNECTs …
        refuse_code: … with this CONNACK code (3: unavailable, 5: not authorized).
        puback_delay: seconds between taking a module's publish and its PUBACK.
        withhold_pubacks: take a module's publishes and never send their PUBACKs.
        workload_failures: the next N calls of the workload API answer 500.
        token_lifetime: close a connection this many seconds after its CONNECT, whatever its token says.
    """

    refuse_connects: int = 0
    refuse_code: int = 3
    puback_delay: float = 0.0
    withhold_pubacks: bool = False
    workload_failures: int = 0
    token_lifetime: float | None = None
