"""What happens in one round: drawn from the seed and the round's number alone, so that both repeat it."""

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from .bodies import KINDS, ODD, ORDINARY
from .oracle import DEADLY

FOLDERS = ("plain", "ext4", "ext2", "tmpfs", "overlay")
"""Where the journal lies; all but the first are small volumes of their own, mounted by root."""


class Event(NamedTuple):
    """One fault: when (seconds from the start), what (a key of faults.FAULTS), for how long, and how."""

    at: float
    what: str
    seconds: float = 0.0
    how: str = ""

    def __str__(self) -> str:
        how = f"({self.how})" if self.how else ""
        return f"{self.at:.1f}:{self.what}{how}+{self.seconds:.1f}"


@dataclass(frozen=True)
class Plan:
    """One round.

    Attributes:
        script: a key of oracle.SCRIPTS.
        count: messages, about.
        seconds: over which they are sent.
        window: un-acked inputs at a time; edgeHub has one.
        odd: share of messages that are not plain telemetry.
        deeds: what the poison scripts are asked to do, one message each.
        settings: of the module, beside the round's own.
        memory_mb: of a control group around the module; 0: no limit.
        replay: put the quarantine back at the end.
        without: scripts, kinds, deeds, events and folders that are left out, for looking beside a known defect;
            ``permissions`` too.
    """

    seed: int
    number: int
    script: str
    count: int
    seconds: float
    window: int
    odd: float
    folder: str = "plain"
    deeds: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    memory_mb: int = 0
    replay: bool = False
    without: frozenset[str] = frozenset()

    def __str__(self) -> str:
        happens = " ".join(str(event) for event in self.events)
        more = " ".join(f"{name.removeprefix('SCORING_')}={value}" for name, value in self.settings.items())
        limit = f" memory={self.memory_mb}MB" if self.memory_mb else ""
        return (
            f"seed {self.seed} round {self.number}: {self.script} on {self.folder}, {self.count} messages in "
            f"{self.seconds:.0f} s, window {self.window}, odd {self.odd:.0%}{limit}, deeds [{', '.join(self.deeds)}], "
            f"events [{happens}], settings [{more}]{', replay' if self.replay else ''}"
        )

    def has(self, *names: str) -> bool:
        """Say whether one of these events happens."""
        return any(event.what in names for event in self.events)


_QUICK_DEEDS = (
    "raise", "exit", "tolist", "keys", "frame", "response", "cycle", "nested", "huge", "set", "generator", "interrupt",
    "cancelled", "own end", "stop", "recursion", "mutate", "decimal", "swallowed", "surrogate",
)  # fmt: skip
_BATCHED_DEEDS = ("request error", "many", "wrong count")
_LONG_DEEDS = ("memory", "timeout")

_SCRIPTS = {
    "classic": 3, "global_dict": 3, "batched": 3, "kept_array": 3, "filtering": 3, "mixed": 2, "slow": 5, "poison": 7,
    "poison_classic": 3, "onnx": 3,
}  # fmt: skip

_FAULTS = {
    "kill": 10, "kill early": 4, "stop": 4, "pause": 2, "reset": 4, "silence": 2, "mute": 1, "closed": 2, "refuse": 2,
    "withhold": 3, "late": 3, "pace": 3, "garbage": 4, "cut": 3, "slow line": 2, "forget acks": 4, "disk": 6, "fill": 2,
    "clock": 3, "lock": 3, "flip": 4, "list": 1,
    "second": 1, "slow clients": 1, "stop unheard": 1,
}  # fmt: skip

NAMES = {
    "scripts": tuple(_SCRIPTS),
    "kinds": tuple(kind for kind in KINDS if kind != "plain"),
    "deeds": (*_QUICK_DEEDS, *_BATCHED_DEEDS, *_LONG_DEEDS, *DEADLY),
    "events": tuple(_FAULTS),
    "folders": tuple(folder for folder in FOLDERS if folder != "plain"),
    "others": ("permissions", "memory limit"),
}
"""What ``without`` may name."""

_HOW = {
    "disk": ("EIO", "ENOSPC", "EDQUOT", "short", "EIO sync", "EIO always", "ENOSPC always", "EIO open", "EIO truncate"),
    "garbage": ("short puback", "short suback", "connack", "kind 0", "kind 15", "qos 3", "endless", "twin", "method",
                "bad utf-8", "half"),
    "clock": ("3600", "-3600", "2592000", "-86400", "-315360000"),
    "refuse": ("5", "3", "2"),
    "flip": ("1", "3", "20", "cut", "noise"),
    "lock": ("write", "write", "read"),
    "pause": ("short", "long"),
    "cut": ("1", "100", "3000"),
}  # fmt: skip


def draw_plan(seed: int, number: int, *, mounts: bool = True, without: frozenset[str] = frozenset()) -> Plan:
    """Give the plan of a round.

    Args:
        seed: of the whole run.
        number: of the round.
        mounts: whether volumes can be mounted; the other draws are the same without.
        without: kinds, deeds and events to leave out; the other draws are the same.
    """
    draw = random.Random(f"{seed}/{number}")
    script = _weighted(draw, _SCRIPTS)
    seconds = draw.uniform(2.0, 7.0)
    events = sorted(_event(draw, seconds) for _ in range(draw.choice((0, 1, 1, 2, 2, 3, 3, 4, 5))))
    folder = draw.choice(FOLDERS) if draw.random() < 0.3 else "plain"
    folder = folder if mounts and folder not in without else "plain"
    events = [e for e in events if e.what not in without and (e.what != "fill" or folder != "plain")]
    deeds = tuple(deed for deed in _deeds(draw, script) if deed not in without)
    memory = draw.random() < 0.06 and script in ("batched", "classic", "kept_array")
    plan = Plan(
        seed=seed,
        number=number,
        script=script,
        count=draw.choice((30, 150, 400, 800)) if script != "slow" else draw.choice((60, 200, 350)),
        seconds=seconds,
        window=draw.choice((1, 1, 1, 1, 4, 20)),
        odd=draw.choice((0.0, 0.1, 0.4)),
        folder=folder,
        deeds=deeds,
        events=tuple(events),
        memory_mb=900 if memory and "memory limit" not in without else 0,
        without=without,
        replay=script == "poison" and not set(deeds) & {*DEADLY, *_LONG_DEEDS} and draw.random() < 0.3,
    )
    plan.settings.update(_settings(draw, plan))
    return plan


def _event(draw: random.Random, seconds: float) -> Event:
    what = _weighted(draw, _FAULTS)
    return Event(
        round(draw.uniform(0.0, seconds), 2), what, round(draw.uniform(0.3, 5.0), 2), draw.choice(_HOW.get(what, ("",)))
    )


def _deeds(draw: random.Random, script: str) -> tuple[str, ...]:
    if not script.startswith("poison"):
        return ()
    many = _QUICK_DEEDS + (_BATCHED_DEEDS if script == "poison" else ())
    deeds = draw.sample(many, draw.randint(1, 6))
    if draw.random() < 0.4:
        deeds.append(draw.choice(tuple(DEADLY)))
    if draw.random() < 0.06:
        deeds.append(draw.choice(_LONG_DEEDS))
    return tuple(deeds)


def _settings(draw: random.Random, plan: Plan) -> dict[str, str]:
    settings = {"SCORING_MAX_WAITING_MB": "4" if plan.folder != "plain" else "32"}
    if plan.has("silence", "mute", "pace"):
        settings["SCORING_STALL_TIMEOUT_S"] = "3"
    if "hang" in plan.deeds or "regex" in plan.deeds or plan.has("pause"):
        settings["SCORING_RUN_TIMEOUT_S"] = "2"
    if plan.has("stop", "flip"):
        settings["SCORING_STOP_TIMEOUT_S"] = draw.choice(("0.5", "8"))
    if draw.random() < 0.15:
        settings["SCORING_JOURNAL_SYNC"] = "full"
    if draw.random() < 0.15:
        settings["SCORING_MAX_UNCONFIRMED"] = draw.choice(("1", "8"))
    if draw.random() < 0.15:
        settings["SCORING_MAX_WAITING"] = draw.choice(("3", "50"))
    return settings


def kinds(plan: Plan, draw: random.Random) -> list[tuple[str, str]]:
    """Give kind and deed of every message, in the order of sending."""
    odd = [kind for kind in ODD if kind != "bomb" or plan.count < 200]
    ordinary = [*ORDINARY, *(["rows"] if plan.script in ("batched", "classic") else [])]
    found = [
        (draw.choice(odd if draw.random() < 0.4 else ordinary) if draw.random() < plan.odd else "plain", "")
        for _ in range(plan.count)
    ]
    found = [("plain", "") if kind in plan.without else (kind, deed) for kind, deed in found]
    for deed in plan.deeds:
        found.insert(draw.randint(0, len(found)), ("plain", deed))
    if plan.odd > 0.3 and plan.number % 5 == 0:
        found.insert(draw.randint(0, len(found)), ("plain" if "many rows" in plan.without else "many rows", ""))
    if plan.memory_mb:
        place = draw.randint(0, len(found))
        found[place:place] = [("many numbers", "")] * 45
    return found


def _weighted(draw: random.Random, weights: dict[str, int]) -> str:
    return draw.choices(list(weights), list(weights.values()))[0]
