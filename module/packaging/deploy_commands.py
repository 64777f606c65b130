"""The command line of ``scoring-module manifest`` and ``scoring-module deploy``."""

import argparse
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import PackagingError, SettingsError
from ..logs import say
from .arguments import refuse_empty

# What each command needs beyond this file is imported when it runs: `scoring-module run` starts without it.
# ruff: noqa: PLC0415

_ID = re.compile(r"[a-z0-9_-]{1,128}")
_MANIFEST = """\
examples:
  scoring-module manifest --image myregistry.azurecr.io/scoring:7
  scoring-module manifest --image myregistry.azurecr.io/scoring:7 --gpu --memory 2g --set batch.maxSize=64
"""
_DEPLOY = """\
the hub: IOTHUB_CONNECTION_STRING (environment or .env), or --hub NAME with IOTHUB_ACCESS_TOKEN or az login

examples:
  scoring-module deploy --device edge-1 --watch
  scoring-module deploy --target-condition "tags.line='3'" --priority 20 --watch
  scoring-module deploy --target-condition "tags.line='3'" --rollback
"""


def register(commands: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the two sub-commands with the command line's own ``add(commands, name, command, summary, epilog)``."""
    summary = "write the deployment of a template and an image"
    _manifest_arguments(add(commands, "manifest", _manifest, summary, _MANIFEST))
    summary = "roll a deployment out to a device or a fleet"
    _deploy_arguments(add(commands, "deploy", _deploy, summary, _DEPLOY))


def _manifest_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--image", metavar="NAME:TAG", required=True, help="or NAME@sha256:…; a tag is pinned by its digest")
    option("--template", type=Path, metavar="FILE", default=Path("deployment.template.json"), help="%(default)s")
    option("--env", type=Path, metavar="FILE", help="values of the placeholders (default: .env beside the template)")
    option("--no-env", action="store_true", help="values from the environment alone")
    option("-o", "--output", type=Path, metavar="FILE", default=Path("deployment.json"), help="%(default)s, mode 0600")
    option(
        "--layout", type=Path, metavar="DIR", help="where build left what push sent, if the registry does not answer"
    )
    option("--ca-file", type=Path, metavar="FILE", help="certificates to trust beside the system's, for the registry")
    option("--module", metavar="NAME", help="the scoring module, if routes lead to several")
    option("--platform", metavar="ARCH", default="amd64", help="what ${MODULES.name} means (default: %(default)s)")
    option("--gpu", action="store_true", help="ask for the device's GPUs")
    option("--memory", metavar="SIZE", help="the container's limit, such as 512m")
    option(
        "--set", metavar="PLACE=VALUE", action="append", default=[], help="a desired property, such as batch.maxSize=64"
    )
    option("--with-secrets", action="store_true", help="write secrets into it: without, deploy fills them in")
    option("--layered", action="store_true", help="a layer on a base deployment: our module, its routes, its twin")


def _deploy_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "manifest", type=Path, metavar="FILE", nargs="?", default=Path("deployment.json"), help="default: %(default)s"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--device", metavar="ID", help="one device")
    where.add_argument("--target-condition", metavar="CONDITION", help="every device whose twin fits, tags.line='3'")
    option("--priority", type=int, metavar="N", help="0 and more, the highest wins; with --target-condition")
    option("--id", metavar="NAME", help="of the deployment (default: the module and a hash of the content)")
    option("--module", metavar="NAME", help="the scoring module, if routes lead to several")
    option("--hub", metavar="NAME", help="the IoT Hub (default: the connection string's)")
    option("--env", type=Path, metavar="FILE", default=Path(".env"), help="read if it is there (default: %(default)s)")
    option("--watch", action="store_true", help="wait until every device has arrived, exit 1 if not in time")
    option("--timeout", type=float, metavar="SECONDS", default=900.0, help="for --watch (default: %(default)g)")
    option("--every", type=float, metavar="SECONDS", default=10.0, help="between two looks (default: %(default)g)")
    option("--rollback", action="store_true", help="take this deployment back")
    option("--print-commands", action="store_true", help="print the same as az commands and do nothing")


def _manifest(arguments: argparse.Namespace) -> int:
    from . import env_file
    from .manifest import create_options, edge_manifest, manifest, placeholders
    from .registry import reference

    template = arguments.template
    credentials = edge_manifest.read(template).credentials
    env = arguments.env or template.with_name(".env")
    values = {**({} if arguments.no_env else env_file.read_env(env)), **os.environ}
    values_from = "the environment" if arguments.no_env else f"{env} or the environment"
    values |= placeholders.module_images(template, arguments.platform)
    entries = [placeholders.Expansion(values)(each) for each in credentials.values()]
    image = reference.parse(arguments.image)
    options = manifest.ManifestOptions(
        template=template,
        image=str(image),
        module=arguments.module,
        gpu=arguments.gpu,
        memory=create_options.memory_bytes(arguments.memory) if arguments.memory is not None else None,
        twin=tuple(_set(text) for text in arguments.set),
        layered=arguments.layered,
        with_secrets=arguments.with_secrets,
        values_from=values_from,
    )
    manifest.build(options, values)  # so that a mistake is named before a registry is asked
    ask = partial(_ask_registry, entries, str(arguments.ca_file or ""))
    image, note = manifest.pin(image, ask, arguments.layout)
    deployment = manifest.build(replace(options, image=str(image)), values)
    manifest.write(deployment, arguments.output)
    say(f"{arguments.output}: module {deployment.module} is {image}, routes {', '.join(deployment.routes)}")
    if deployment.secrets and not arguments.with_secrets:
        say(f"secrets are left as references, which deploy fills in: {', '.join(deployment.secrets)}")
    notes = [*filter(None, [note]), *deployment.notes]
    if deployment.secrets and arguments.with_secrets:
        notes.append(f"{arguments.output} has secrets in it, mode 0600: keep it out of git and of what is built")
    if image.host not in deployment.registries:
        notes.append(f"no credentials for {image.host} in it: devices can pull only if it is public")
    for each in notes:
        say(*each.splitlines(), to=sys.stderr)
    return 0


def _ask_registry(entries: list[dict[str, str]], ca_file: str, name: Any) -> str:
    """Ask the registry for a tag's digest, with the credentials that the devices will use if there are any."""
    from .registry.credentials import Access, Credentials
    from .registry.registry import Registry

    access = Access(ca_file=ca_file)
    for entry in entries:
        if entry["address"] == name.host and entry["password"]:
            given = Credentials(entry["username"], entry["password"], source="registryCredentials in the template")
            access = access._replace(given=given, host=name.host)
    return Registry(name.host, name.repository, access).find(name.tag)[0]


def _set(text: str) -> tuple[str, str]:
    place, equals, value = text.partition("=")
    if not (place and equals):
        raise SettingsError(f"--set {text} is not PLACE=VALUE, such as batch.maxSize=64")
    return place, value


def _deploy(arguments: argparse.Namespace) -> int:
    from . import env_file
    from .deployment import deployment_file
    from .deployment.device import DeviceRollout
    from .deployment.fleet import FleetRollout
    from .deployment.hub_access import HubAccess, access_from
    from .deployment.iot_hub import IotHub

    _check(arguments)
    environment = {**(env_file.read_env(arguments.env) if arguments.env.is_file() else {}), **os.environ}
    file = deployment_file.read(arguments.manifest, arguments.module, None if arguments.print_commands else environment)
    # What only prints commands needs a hub's name, but no leave to use it.
    named = arguments.print_commands and arguments.hub
    hub = IotHub(HubAccess(arguments.hub, str) if named else access_from(environment, arguments.hub))
    rollout: DeviceRollout | FleetRollout
    if arguments.device:
        rollout = DeviceRollout(hub, arguments.device, file)
    else:
        condition, priority = arguments.target_condition, arguments.priority or 0
        rollout = FleetRollout(hub, arguments.id, file, condition=condition, priority=priority)
    if arguments.print_commands:
        print("\n".join(rollout.az_commands(roll_back=arguments.rollback)))
        return 0
    say(*(rollout.roll_back() if arguments.rollback else rollout.start()).splitlines())
    if arguments.watch:
        until_done(rollout.look, timeout=arguments.timeout, every=arguments.every)
    return 0


def until_done(look: Callable[[], tuple[bool, str]], *, timeout: float, every: float) -> None:
    """Follow a rollout until every device has arrived, for a limited time; prints a line for each change.

    Args:
        look: says whether it is done, and where it stands.
        timeout: seconds.
        every: seconds between two looks.

    Raises:
        PackagingError: it is not done in time; the sentence says where it stands.
    """
    end, last = time.monotonic() + timeout, ""
    while True:
        done, said = look()
        if said != last:
            say(*said.splitlines())
            last = said
        if done:
            return
        if time.monotonic() + every > end:
            raise PackagingError(f"not done within {timeout:g} s: {said}")
        time.sleep(every)


def _check(arguments: argparse.Namespace) -> None:
    refuse_empty(arguments, "device", "target_condition", "id", "module", "hub")
    if arguments.target_condition is not None and not arguments.rollback and arguments.priority is None:
        raise SettingsError("--target-condition needs --priority N: the highest priority wins on each device")
    if arguments.device and (arguments.priority is not None or arguments.id):
        raise SettingsError("--priority and --id are for --target-condition: a device alone has neither")
    if arguments.priority is not None and arguments.priority < 0:
        raise SettingsError(f"--priority {arguments.priority} must be 0 or more")
    if arguments.id and not _ID.fullmatch(arguments.id):
        raise SettingsError(f"--id {arguments.id} may only have small letters, digits, - and _, 128 at most")
    if not (arguments.timeout > 0 and arguments.every > 0):
        raise SettingsError("--timeout and --every must be more than 0 seconds")
    if arguments.watch and arguments.rollback and not arguments.device:
        raise SettingsError("--watch cannot follow the --rollback of a fleet: its devices go to other deployments")
