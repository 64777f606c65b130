"""May these requests be merged into one run()? Proved in a child process, by scoring them both ways.

The child loads the script anew with its own init(), so the serving script never gets an extra call. Merging counts as
proved only if, over several sizes, duplicates and permutations, every merged result is bit for bit what separate calls
give, separate calls give the same twice, and the samples do not all give one result.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .merge import Mergeable, merge, mergeable, split

SAMPLES = 16
"""Samples that a proof is made with at most."""

LEAST = 3
"""Different samples without which there is no proof."""

_SIZES = (2, 3, 5, 8, 16)
_SEED = 20180901

Call = Callable[[object], object]
"""run() for one decoded request → what it returns. Raises what run() raises."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether merging changes nothing, and the sentence that says why.

    Attributes:
        proved: every comparison was equal.
        why: for people.
        final: whether other samples could not change it.
    """

    proved: bool
    why: str
    final: bool = True


def prove(call: Call, samples: Sequence[object]) -> Verdict:
    """Score samples of one shape separately and merged, and compare; runs in the child."""
    different = {json.dumps(sample, sort_keys=True): sample for sample in samples}
    requests = [request for sample in different.values() if (request := mergeable(sample)) is not None]
    if len(requests) < LEAST or len({request.shape for request in requests}) != 1:
        return Verdict(False, f"needs {LEAST} different samples with rows of one shape", final=False)
    try:
        separate = [_exact(call(merge([request]))) for request in requests]
        again = [_exact(call(merge([request]))) for request in requests]
    except Exception as error:
        return Verdict(False, f"a sample fails: {type(error).__name__}: {error}")
    if separate != again:
        return Verdict(False, "the same request gives another result the second time")
    if len(set(separate)) == 1:
        return Verdict(False, "every sample gives the same result", final=False)
    return _compare(call, requests, separate)


def _compare(call: Call, requests: list[Mergeable], separate: list[str]) -> Verdict:
    chance = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    for size in _SIZES:
        for indices in (
            [n % len(requests) for n in range(size)],
            chance.choices(range(len(requests)), k=size),
            [chance.randrange(len(requests))] * size,
        ):
            rows = requests[0].shape.rows
            try:
                parts = split(call(merge([requests[n] for n in indices])), size, rows)
            except Exception as error:
                return Verdict(False, f"{size} requests merged fail: {type(error).__name__}: {error}")
            if parts is None:
                return Verdict(False, f"the result of {size} requests merged has not one entry a row")
            if [_exact(part) for part in parts] != [separate[n] for n in indices]:
                return Verdict(False, f"{size} requests merged give other results than one by one")
    return Verdict(True, f"{len(requests)} samples give the same merged and one by one")


def _exact(result: object) -> str:
    """Give a form of a result that is equal only if every bit of it is."""
    return json.dumps(result, sort_keys=True, default=lambda value: value.tolist())


class Child:
    """A proof under way in another process, with a limit on its memory and its time."""

    def __init__(
        self, directory: Path, script: str, samples: Sequence[object], *, memory_mb: int, seconds: float
    ) -> None:
        """Start it; what does not start is a proof that fails."""
        self._answer: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open until the child has answered
        # On the CPU, and unmeasured: what is proved is that rows do not see each other.
        environment = {**os.environ, "SCORING_PROVIDERS": "CPU", "SCORING_CALIBRATION_S": "0"}
        question = {"directory": str(directory), "script": script, "samples": list(samples), "memory_mb": memory_mb}
        limited = ["timeout", "-k", "1", str(seconds)] if Path("/usr/bin/timeout").exists() else []
        command = [*limited, sys.executable, "-m", "scoring.proof_child", str(self._answer.fileno())]
        try:
            self._process: subprocess.Popen[str] | None = subprocess.Popen(  # noqa: S603 - our own interpreter
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[self._answer.fileno()],
                env=environment,
                text=True,
            )
            assert self._process.stdin is not None  # noqa: S101 - said two lines above
            with self._process.stdin as stdin:
                json.dump(question, stdin)
        except OSError:
            self._process = None

    def verdict(self) -> Verdict | None:
        """Give the verdict once there is one; None while the child is at work."""
        if self._process is None:
            return Verdict(False, "no child process can be started here")
        code = self._process.poll()
        if code is None:
            return None
        self._answer.seek(0)
        text = self._answer.read()
        self._answer.close()
        if not text:
            return Verdict(False, f"the proof's process ended with code {code}: out of memory or of time")
        return Verdict(**json.loads(text))

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
