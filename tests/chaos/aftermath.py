"""Looks at the process when a round is over: how its lives ended, its pages, its log, its memory and its files."""

import re
from pathlib import Path

from .hub import Hub
from .life import Module
from .oracle import DEADLY
from .plan import Plan

_MAX_MB = 500
"""Resident memory at most: a plain module has 100."""
_DEATHS = {"abort": 4, "hang": 4, "regex": 4, "_exit": 8}
"""How often a deed may end the process before its message must be condemned, one death in company included."""


def look(plan: Plan, module: Module, hub: Hub, journal: Path) -> list[str]:
    """Say everything that is not as the plan explains it."""
    said = [*_ends(plan, module), *_health(plan, module), *_calm(plan, hub)]
    return [*said, *_logged(module), *_sizes(plan, module, journal)]


def _ends(plan: Plan, module: Module) -> list[str]:
    """Say which lives ended by themselves without a reason in the plan."""
    allowed = {code for deed in plan.deeds for code in DEADLY.get(deed, ())}
    disk = plan.has("disk", "fill", "lock") or plan.folder != "plain"
    own = [end.code for end in module.ends if not end.wanted]
    said = [f"exit code {code}" for code in own if code not in allowed and not (disk and code in (2, 4))]
    most = sum(_DEATHS.get(deed, 0) for deed in plan.deeds)
    died = sum(1 for code in own if code in allowed)
    return [*said, *([f"{died} deaths: the poison explains {most}"] if died > most else [])]


def _health(plan: Plan, module: Module) -> list[str]:
    """Say when /livez was silent for long while the process ran."""
    if set(plan.deeds) & {"regex", "recursion"}:  # they hold the interpreter: silence is the truth
        return []
    said = []
    since: dict[int, float] = {}
    for sample in module.samples:
        if sample.live == 200:
            since[sample.pid] = sample.at
        elif sample.at - since.get(sample.pid, sample.at) > 10:
            said.append(f"/livez was silent for {sample.at - since[sample.pid]:.0f} s")
            since[sample.pid] = sample.at
    return said


def _calm(plan: Plan, hub: Hub) -> list[str]:
    """A hub that confirms slowly but steadily is no dead one."""
    ended = hub.record.ended
    calm = all(event.what in ("pace", "list") for event in plan.events) and not set(plan.deeds) & {*DEADLY}
    return [f"{ended} connections ended by the module itself"] if calm and ended > 1 else []


def _logged(module: Module) -> list[str]:
    text = module.log.read_text(errors="replace") if module.log.exists() else ""
    wrong = re.findall(r"^.*(?:please report|never retrieved|Segmentation fault|unclosed).*$", text, re.MULTILINE)
    wrong += re.findall(r"^<3> a forged line.*$", text, re.MULTILINE)
    return [f"log: {line[:200]}" for line in wrong[:3]]


def _sizes(plan: Plan, module: Module, journal: Path) -> list[str]:
    files = [path for path in journal.rglob("*") if path.is_file()] if journal.exists() else []
    size = sum(path.stat().st_size for path in files) >> 20
    most = 3 * int(plan.settings["SCORING_MAX_WAITING_MB"]) + 80
    said = [f"the journal takes {size} MB: {most} is plenty"] if size > most else []
    if "permissions" not in plan.without:
        said += [f"{each.name} can be read by everybody" for each in files if each.stat().st_mode & 0o007]
    most = plan.memory_mb or _MAX_MB
    return [*said, *([f"{module.peak} MB of memory"] if module.peak > most else [])]
