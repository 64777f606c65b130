"""Writes the parts of the pages that are made from the code: what stands between ``made by`` and ``end`` comments.

``scripts/reference`` runs it; ``test_reference.py`` says which page is not as the code is.
"""

import argparse
import asyncio
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from addresses import free_address
from command import run
from module_process import Answers, Module, send
from pages import ROOT, pages
from prometheus_client.parser import text_string_to_metric_families

from module import cli
from module import settings as module_settings
from module.commands import workshop
from module.packaging.manifest import module_twin
from module.routes import MAX_ANSWERS_SIZE, MAX_SIZE
from module.simulator.edge_hub.hub import EdgeHub
from scoring import options
from scoring.scripts.results import MOST

_MADE = re.compile(r"(<!-- made by scripts/reference: (?P<name>\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FACTS = {
    "status": "`ready`, else why not: also in `/readyz`",
    "runtimeVersion": "version of this module",
    "script": "kind of the script, and its file",
    "model": "`SCORING_MODEL_NAME`, else the model's file",
    "modelVersion": "`SCORING_MODEL_VERSION`",
    "modelHash": "SHA-256 of the model's file",
    "provider": "execution provider in use",
    "providerTrouble": "why another one that was wanted is not",
    "calibration": "what was measured, and the plan that follows",
    "merged": "whether messages share a `run()`, and why",
    "delivery": "`SCORING_DELIVERY`",
    "unknownSettings": "`SCORING_` variables that are no settings, with the nearest that is one",
    "lastError": "why a message was not scored, the last time",
}


def settings() -> str:
    """Give the table of settings: name, default, what is allowed, meaning."""
    hints = {f"SCORING_{field.upper()}": hint for field, hint in options.hints(module_settings.Settings).items()}
    rows = [
        (f"`{row.name}`", f"`{row.default}`" if row.default else "", _allowed(hints[row.name]), row.description)
        for row in module_settings.describe()
    ]
    return table(("variable", "default", "allowed", "meaning"), rows)


def _allowed(hint: Any) -> str:
    kind, *metas = get_args(hint)
    if kind is bool:
        return "`0`, `1`"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if kind in (int, float):
        limits = {
            name: value for meta in metas for name in ("ge", "gt", "le") if (value := getattr(meta, name)) is not None
        }
        least = f"from {limits['ge']:,}" if "ge" in limits else f"more than {limits['gt']:,}"
        most = f" to {int(limits['le']):,}" if "le" in limits else ""
        return f"{'a whole number ' if kind is int else ''}{least}{most}"
    if get_origin(kind) is dict:
        return "JSON object"
    return "path" if kind is Path else "text"


def twin() -> str:
    """Give the table of desired properties, and the settings that they stand for."""
    places = module_twin.PLACES.items()
    return table(
        ("desired property", "setting"), [(f"`{place}`", f"`SCORING_{name.upper()}`") for place, name in places]
    )


def commands() -> str:
    """Give a section for each sub-command: its arguments as a table, its examples as they stand in ``--help``."""
    every = subparsers(cli._parser())
    there = ", ".join(f"`{name}`" for name in every if name not in workshop._COMMANDS)
    sections = [f"### {name}\n\n{_command(parser)}" for name, parser in every.items()]
    return "\n\n".join([f"A device's image has {there}; the other commands are where images are built.", *sections])


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Give the parsers of its sub-commands."""
    found = (each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return next(iter(found), {})  # type: ignore[arg-type]


def _command(parser: argparse.ArgumentParser) -> str:
    parts = [" ".join((parser.description or "").split())] if parser.description else []
    if rows := [row for action in parser._actions if (row := _argument(parser, action))]:
        parts.append(table(("argument", "meaning"), rows))
    parts += [
        f"#### {parser.prog.removeprefix('scoring-module ')} {name}\n\n{_command(verb)}"
        for name, verb in subparsers(parser).items()
    ]
    epilog, its_settings, _ = (parser.epilog or "").replace(cli._EXIT_CODES, "").partition("settings, from the env")
    if its_settings:
        parts.append("Its [settings](settings.md) come from the environment.")
    if epilog.strip():
        parts.append(f"```text\n{epilog.strip()}\n```")
    return "\n\n".join(parts)


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> tuple[str, str] | None:
    if isinstance(action, argparse._SubParsersAction) or {"--help", "--debug"} & {*action.option_strings}:
        return None
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    takes = "" if action.nargs == 0 else f" {value}" + (" …" if action.nargs == "+" else "")
    name = ", ".join(action.option_strings) + takes if action.option_strings else str(value)
    meaning = parser._get_formatter()._expand_help(action) if action.help else ""
    return f"`{name}`", meaning + (" (required)" if action.required and action.option_strings else "")


def exit_codes() -> str:
    """Give the exit codes that every command has, as ``--help`` says them."""
    return table(("code", "means"), re.findall(r"(\d+) (.+?)(?=, \d|$)", cli._EXIT_CODES.partition(":")[2]))


def metrics() -> str:
    """Give every metric that a running module serves."""
    families = [each for each in text_string_to_metric_families(_served("/metrics")) if each.samples]
    labels = {label for each in families for label in each.samples[0].labels}
    common = {label for label in labels if sum(label in each.samples[0].labels for each in families) > 1}
    rows = [
        (f"`{each.name}_total`" if each.type == "counter" else f"`{each.name}`", each.type, own, each.documentation)
        for each in families
        if not each.name.endswith("_created")
        for own in [", ".join(f"`{label}`" for label in sorted({*each.samples[0].labels} - common - {"le"}))]
    ]
    return table(("metric", "type", "label of its own", "meaning"), rows)


def facts() -> str:
    """Give what a running module says of itself; each fact has a sentence in ``_FACTS``."""
    named = re.findall(r"<tr><th>(\w+)", _served("/"))
    return table(("name", "what it says"), ((f"`{name}`", _FACTS[name]) for name in named))


def prediction() -> str:
    """Give a message that leaves, as ``replay`` writes it."""
    return _left(
        '{"machine": {"temperature": 21.5, "pressure": 1.05}, "ambient": {"temperature": 20.9, "humidity": 24}}'
    )


def error() -> str:
    """Give the answer to a message that cannot be scored."""
    return _left('{"machine": {"temperature": 21.5}}')


def limits() -> str:
    """Give the bounds of what leaves."""
    rows = [
        ("body and properties of a message that leaves", f"{MAX_SIZE:,} bytes; IoT Hub takes 256 KiB"),
        ("messages that leave for one that comes in", f"{MOST:,}"),
        ("their bytes together", f"{MAX_ANSWERS_SIZE >> 20} MiB"),
    ]
    return table(("what", "at most"), rows)


def _left(body: str) -> str:
    """Give what leaves for one message with a property, scored by the anomaly example."""
    system = {"message_id": "m-1", "content_type": "application/json", "content_encoding": "utf-8"}
    message = {"input": "amlInput", "system": system, "properties": {"line": "3"}, "body": json.loads(body)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "messages.jsonl"
        file.write_text(json.dumps(message))
        left = run("replay", "--messages", "--scoring-dir", ROOT / "examples/anomaly", file, cwd=Path(folder)).stdout
    return f"```json\n{json.dumps(json.loads(left), indent=2)}\n```"


@cache
def _served(path: str) -> str:
    """Give a page of a module that runs and has answered a message."""

    async def ask() -> dict[str, str]:
        answers = Answers()
        with tempfile.TemporaryDirectory() as folder:
            async with (
                EdgeHub(listen=free_address(), on_upstream=answers.take) as hub,
                Module(hub.environment, Path(folder), SCORING_DIR=ROOT / "examples/turbofan") as module,
            ):
                await send(hub, range(1))
                await answers.count(1)
                return {each: (await module.get(each))[1] for each in ("/metrics", "/")}

    return asyncio.run(ask())[path]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table in Markdown."""
    cells = [head, ["---"] * len(head), *([each.replace("|", "\\|") for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in cells)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "twin": twin,
    "commands": commands,
    "exit-codes": exit_codes,
    "metrics": metrics,
    "facts": facts,
    "prediction": prediction,
    "error": error,
    "limits": limits,
}


def made(text: str) -> str:
    """Give a page with the parts that are made from the code as the code is now."""
    return _MADE.sub(lambda part: f"{part[1]}\n{PARTS[part['name']]()}\n\n{part[3]}", text)


if __name__ == "__main__":
    for page in pages():
        (ROOT / page).write_text(made((ROOT / page).read_text()))
