"""edgeHub on a laptop: run any module against a local hub, feed it messages and count what comes back.

For tests: ``from module.simulator.edge_hub.hub import EdgeHub``. This file stays light: the libraries come with the
first use.
"""

from .options import Options, add_arguments, options_from

__all__ = ["Options", "add_arguments", "options_from", "simulate"]


async def simulate(options: Options) -> int:
    """Run COMMAND against a local edgeHub until every message is answered, and give the exit code.

    Raises:
        SettingsError: a file, the manifest, a route or the address does not fit.
    """
    from .simulation import run  # noqa: PLC0415 - the libraries of the extra are needed only here

    return await run(options)
