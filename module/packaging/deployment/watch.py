"""Follows a rollout until every device has arrived, for a limited time; a line for each change."""

import time
from collections.abc import Callable

from ...errors import PackagingError
from . import device, fleet
from .deployment_file import DeploymentFile
from .iot_hub import IotHub


def device_until_done(hub: IotHub, name: str, file: DeploymentFile, *, timeout: float, every: float) -> None:
    """Wait until one device runs the module and the module says that it serves.

    Raises:
        PackagingError: it does not within ``timeout`` seconds; the sentence says where it stands.
    """

    def look() -> tuple[bool, str]:
        state = device.state(hub, name, file)
        return state.done, f"{name}: {state.said}"

    _until_done(look, timeout, every)


def fleet_until_done(hub: IotHub, name: str, file: DeploymentFile, *, timeout: float, every: float) -> None:
    """Wait until every device that the rollout selects has arrived; says why the first few failing ones fail.

    Raises:
        PackagingError: they have not within ``timeout`` seconds.
    """

    def look() -> tuple[bool, str]:
        counts = fleet.counts(hub, name)
        failing = fleet.failures(hub, file, name) if counts.failing else []
        return counts.done(), "; ".join([str(counts), *failing])

    _until_done(look, timeout, every)


def _until_done(look: Callable[[], tuple[bool, str]], timeout: float, every: float) -> None:
    end, last = time.monotonic() + timeout, ""
    while True:
        done, said = look()
        if said != last:
            print(said, flush=True)
            last = said
        if done:
            return
        if time.monotonic() + every > end:
            raise PackagingError(f"not done within {timeout:g} s: {said}")
        time.sleep(every)
