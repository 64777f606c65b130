"""A client of azure-iot-device: how it finds edgeHub, is made and shut down, and the threads that its calls block."""

import asyncio
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Any, TypeVar

from azure.iot.device.aio import IoTHubModuleClient

from ..errors import SettingsError, TransportError

T = TypeVar("T")

VARIABLES = (
    "IOTEDGE_IOTHUBHOSTNAME",
    "IOTEDGE_DEVICEID",
    "IOTEDGE_MODULEID",
    "IOTEDGE_GATEWAYHOSTNAME",
    "IOTEDGE_MODULEGENERATIONID",
    "IOTEDGE_WORKLOADURI",
    "IOTEDGE_APIVERSION",
)
_IN_THEIR_PLACE = ("EdgeHubConnectionString", "EdgeModuleCACertificateFile")

_log = logging.getLogger(__name__)


def check_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """See that the SDK can find edgeHub; gives the variables by which it does.

    Raises:
        SettingsError: variables are missing; the sentence names them.
    """
    missing = [name for name in VARIABLES if not environment.get(name)]
    if missing and not environment.keys() >= set(_IN_THEIR_PLACE):
        raise SettingsError(
            f"{', '.join(missing)} not set: edgeAgent sets them; on a laptop run scoring-module simulate instead"
        )
    return {name: environment[name] for name in (*VARIABLES, *_IN_THEIR_PLACE) if name in environment}


class ThreadForEach(ThreadPoolExecutor):
    """The event loop's executor: every call has a thread of its own, and nothing ever waits for one that hangs.

    The SDK makes blocking calls without a time-out there, such as those to the workload API.
    """

    def submit(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begin a call."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        future.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        Thread(target=run, daemon=True).start()
        return future


def new_client(environment: Mapping[str, str]) -> Any:
    """Make a client that is not connected, whatever the script has done to the variables and warnings of this process.

    Blocks while it asks the workload API.
    """
    os.environ.update(environment)
    warnings.filterwarnings("ignore", module=r"(azure|paho)\.")
    return IoTHubModuleClient.create_from_edge_environment(connection_retry=False, auto_connect=False)


async def never(message: object) -> None:
    """Take the SDK's input messages, of which the tap leaves none."""
    _log.error("an input message passed the tap by: please report this")


async def shut_down(client: Any, limit: float) -> None:
    """Shut a client down.

    Raises:
        TransportError: it does not end; only a new process helps then.
    """
    try:
        async with asyncio.timeout(limit):
            await client.shutdown()
    except TimeoutError as error:
        raise TransportError(f"the SDK's client did not shut down within {limit:g} s") from error
    except Exception as error:
        _log.debug("a client did not end cleanly: %s", reason(error))


def reason(error: BaseException) -> str:
    """Say why a call of the SDK failed: its own exceptions hide it, one behind the other."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
