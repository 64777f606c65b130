"""uv as this package runs it: what it loads is said while it does, why it cannot is said in a few lines."""

import os
import re
import subprocess
import sys

import uv

from ...errors import PackagingError
from .target import Target

_DRAWN = re.compile(r"[×╰─▶│├]|\x1b\[[0-9;]*m")
_PASSWORD = re.compile(r"(://)[^/@\s]+@")
_NETWORK = re.compile("Failed to fetch|error sending request|Request failed")
_CPU_INDEX = "download.pytorch.org"
_STEPS, _LONGEST = 8, 300


def run_uv(*arguments: str, target: Target) -> None:
    """Run uv for a machine that is not this one, with what the environment says of indexes and certificates.

    For an image without a GPU, libraries that have wheels without CUDA in an index of their own come from there, if it
    is to be reached.

    Raises:
        PackagingError: it failed; its reason in a sentence, and below it the steps that led uv there.
    """
    command = [uv.find_uv_bin(), *arguments, "--python-platform", target.uv_platform, "--python-version", target.python]
    chosen = target.variant == "gpu" or "UV_TORCH_BACKEND" in os.environ
    failed = _run(command if chosen else [*command, "--torch-backend", "cpu"])
    if failed and _CPU_INDEX in failed and not chosen and _NETWORK.search(failed):
        print(f"{_CPU_INDEX} is not to be reached: PyTorch's packages would be those with CUDA", file=sys.stderr)
        again = _run(command)
        failed = failed if "+cpu" in again else again  # which only that index has
    if failed:
        raise PackagingError(f"the environment cannot be had: {reason_of(failed)}")


def python_here(version: str) -> str:
    """Give the path of a Python of this version on this machine; empty without one."""
    command = [uv.find_uv_bin(), "python", "find", "--no-project", "--offline", "--no-python-downloads", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() if found.returncode == 0 else ""


def _run(command: list[str]) -> str:
    """Run it and say what it loads; gives what it said if it failed."""
    pipe = subprocess.PIPE
    said = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=pipe, text=True, errors="replace") as process:  # noqa: S603
        for line in process.stderr or ():
            if re.match(r"\s*(?:Downloading|Building) ", line):
                print(f"{line.strip()} …", file=sys.stderr, flush=True)
            else:
                said.append(line)
    return "".join(said) or "uv gave no reason" if process.returncode else ""


def reason_of(said: str) -> str:
    """Give why uv failed, short: what it could not meet, or fetch, or build; without passwords of index addresses."""
    said = _PASSWORD.sub(r"\1…@", _DRAWN.sub(" ", said))
    lines = [re.sub(r"^\s*(?:error|cause|Caused by|hint): ?", "", line).strip() for line in said.splitlines()]
    lines = [
        line[:_LONGEST] for line in lines if line and not line.startswith(("Using CPython", "Resolved", "Prepared"))
    ]
    steps = [line for line in lines if re.match(r"(?:And b|B)ecause ", line)]
    wanted = re.search(r"you require (.+?),? we can conclude that your requirements are unsat", " ".join(steps[-1:]))
    if steps and len(steps) == 1:
        cause = re.sub(r"^Because |,? we can conclude that .*", "", steps[0])
        alone = re.sub(r"(?:,? and| because)? ?you require .*", "", cause)
        together = f"{cause.removeprefix('you require ')} do not fit together: one of them is the module's own"
        return alone or f"{together} (docs/compatibility.md)"
    if steps:
        names = wanted[1] if wanted else "what is asked for"
        shown = [re.sub(",? we can conclude that", ", so", step) for step in steps[-_STEPS:-1]]
        return "\n  ".join([f"no versions fit together for {names}", *shown])
    if _NETWORK.search(said):
        place = next((line for line in lines if "Failed to fetch" in line), lines[0])
        return f"{place}: {lines[-1]}"
    return "\n  ".join(lines[:_STEPS])
