"""Merging requests of a script that takes one: only where it changes nothing, and never where it might."""

import builtins
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import unit_parts
from http_stub import Answer, Asked, serving

from scoring.errors import RunError, ScoringError
from scoring.merging.comparison import most_merged
from scoring.merging.merge_policy import GAIN, Merging
from scoring.scripts.loading import Script, load

HEAD = "import json\ndef init():\n    pass\ndef run(data):\n    rows = json.loads(data)['data']\n"
ROW_WISE = HEAD + "    return [sum(row) for row in rows]\n"
WHEN_VALUES_MEET = (
    HEAD
    + """
    firsts = [row[0] for row in rows]
    mean = sum(firsts) / len(rows)
    if len(set(firsts)) < len(firsts) and max(firsts) > 9:
        return [row[0] - mean for row in rows]
    return [sum(row) for row in rows]
"""
)
WHEN_A_ROW_IS_TWICE = HEAD + "    return [sum(row) if rows.count(row) == 1 or len(rows) % 7 else 0.0 for row in rows]\n"
WHEN_ONE_IS_RARE = HEAD + "    top = max(row[0] for row in rows)\n    return [row[1] + (top > 1e5) for row in rows]\n"
THE_LAST_OF_MANY = HEAD + "    return [sum(row) + (n > 48) for n, row in enumerate(rows)]\n"


@pytest.fixture(autouse=True)
def whatever_it_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts of most tests are instant: take them for ones that gain, whatever else the machine does."""
    monkeypatch.setattr("scoring.merging.merge_policy.GAIN", 1e9)
    monkeypatch.setattr("scoring.merging.merge_policy.time", SimpleNamespace(perf_counter=time.thread_time))


def script(folder: Path, source: str) -> Script:
    folder.mkdir(exist_ok=True)
    (folder / "score.py").write_text(source)
    loaded = load(folder)
    loaded.init()
    return loaded


def module_of(loaded: Script) -> Any:
    """Give the script's module."""
    return next(
        module
        for name, module in reversed(sys.modules.items())
        if name.startswith("scoring_script_") and module.__file__ == str(loaded.path)
    )


def merging_of(loaded: Script) -> Merging:
    assert loaded.merging is not None
    return loaded.merging


def stream(count: int, seed: int = 0, largest: float = 12.0, digits: int = 1) -> Iterator[str]:
    chance = random.Random(seed)
    for _ in range(count):
        row = [round(chance.uniform(-largest, largest), digits), chance.randrange(5)]
        yield json.dumps({"data": [row]})


@dataclass
class Watched:
    """What a stream of messages became.

    Attributes:
        wrong: answers that are not what a call of its own gives.
        merged: of all.
    """

    wrong: int = 0
    merged: int = 0
    sizes: list[int] = field(default_factory=list)


def scored(loaded: Script, bodies: list[str], batch: int = 48) -> Watched:
    """Score all of them in batches and compare each answer with the truth: the source, called for it alone."""
    names: dict[str, Any] = {}
    exec(compile(loaded.path.read_text(), "truth", "exec"), names)
    names["init"]()
    seen = Watched()
    done = 0
    while done < len(bodies):
        was_on = merging_of(loaded).is_on
        outcomes = unit_parts.scored(loaded, bodies[done : done + batch])
        assert 1 <= len(outcomes) <= batch
        seen.sizes.append(len(outcomes))
        seen.merged += was_on
        seen.wrong += sum(
            out != names["run"](body) for out, body in zip(outcomes, bodies[done : done + len(outcomes)], strict=True)
        )
        done += len(outcomes)
    return seen


def after_its_trial(loaded: Script) -> Merging:
    """Score messages until the trial has ended, well or not; instant scripts take thousands."""
    merging = merging_of(loaded)
    for _ in range(200):
        if merging.is_on or merging.why not in ("not tried yet", "on trial"):
            break
        assert scored(loaded, list(stream(100))).wrong == 0
    return merging


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("source", [WHEN_VALUES_MEET, WHEN_A_ROW_IS_TWICE])
@pytest.mark.parametrize("seed", range(3))
def test_rows_that_see_each_other_when_certain_values_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, seed: int
) -> None:
    """170 of 3,000 were wrong. The trial makes such values meet; what needs a size that it did not try, checks find."""
    monkeypatch.setattr("scoring.merging.merge_policy.SURE", 10_000)  # more than are merged, however early that begins
    loaded = script(tmp_path, source)
    assert scored(loaded, list(stream(3000, seed, 9.3))).wrong == 0
    assert not after_its_trial(loaded).is_on or source == WHEN_A_ROW_IS_TWICE
    assert scored(loaded, list(stream(3000, seed)), batch=49).wrong == 0
    assert "another result" in merging_of(loaded).why or "other results" in merging_of(loaded).why


@pytest.mark.usefixtures("process")
def test_what_only_a_full_batch_shows(tmp_path: Path) -> None:
    loaded = script(tmp_path, THE_LAST_OF_MANY)
    assert scored(loaded, list(stream(3000)), batch=64).wrong == 0
    assert "other results" in after_its_trial(loaded).why


@pytest.mark.usefixtures("process")
def test_what_no_trial_can_show_ends_at_the_first_check_that_meets_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first thousand merged answers are all checked, so none is wrong; merging is off for good after that."""
    loaded = script(tmp_path, WHEN_ONE_IS_RARE)
    assert after_its_trial(loaded).is_on
    rare = json.dumps({"data": [[200_000.0, 1]]})
    bodies = [rare if n % 10 == 9 else body for n, body in enumerate(stream(3000, seed=1))]
    with caplog.at_level(logging.WARNING):
        assert scored(loaded, bodies).wrong == 0
    assert not merging_of(loaded).is_on
    assert "merged gave another result than one by one" in merging_of(loaded).why
    assert "no longer merged" in caplog.text
    assert scored(loaded, bodies).merged == 0


@pytest.mark.usefixtures("process")
def test_what_comes_late_is_found_by_a_share_of_checks(tmp_path: Path) -> None:
    """After 20,000 right answers one in twenty is checked: about twenty wrong ones leave before one is met."""
    loaded = script(tmp_path, WHEN_ONE_IS_RARE)
    assert after_its_trial(loaded).is_on
    assert scored(loaded, list(stream(20_000, digits=3))).wrong == 0
    rare = json.dumps({"data": [[200_000.0, 1]]})
    bodies = [rare if n % 10 == 9 else body for n, body in enumerate(stream(10_000, seed=1))]
    assert scored(loaded, bodies).wrong < 300  # one in e^15 more
    assert not merging_of(loaded).is_on


@pytest.mark.usefixtures("process")
def test_a_row_wise_script_is_merged_and_stays_so(tmp_path: Path) -> None:
    loaded = script(tmp_path, ROW_WISE)
    seen = scored(loaded, list(stream(20_000)))
    assert (seen.wrong, merging_of(loaded).is_on) == (0, True)
    assert seen.merged > 0.7 * len(seen.sizes)
    assert max(seen.sizes) == 48


CALLS = "calls = []\n"


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(
    ("before", "effect", "why"),
    [
        ("", "    open('seen', 'a').write('x')\n", "calls open(), which is not known to be harmless"),
        (
            "import urllib.request\n",
            "    urllib.request.urlopen(URL, data=b'x').read()\n",
            "urlopen(), which is not known",
        ),
        (
            "from urllib.request import urlopen\n",
            "    urlopen(URL, data=b'x').read()\n",
            "line 8 calls urlopen(), which is not known",
        ),
        ("import subprocess\n", "    subprocess.run(['sh', '-c', 'printf x >> seen'])\n", "calls subprocess.run()"),
        ("import os\n", "    os.system('printf x >> seen')\n", "calls os.system(), which is not known to be harmless"),
        (
            "import numpy as np, os\n",
            "    np.save(f'saved{len(os.listdir())}', rows)\n",
            "which is not known to be harmless",
        ),
        ("from pathlib import Path\n", "    Path('seen').open('a').write('x')\n", "calls Path(), which is not known"),
        ("count = 0\n", "    global count\n    count += 1\n", "sets count, which outlives the call"),
        ("calls = []\n", "    calls.append(1)\n", "changes calls, which may outlive the call"),
    ],
)
def test_a_script_that_acts_or_keeps_state_is_never_called_more_often(
    tmp_path: Path, before: str, effect: str, why: str
) -> None:
    """23 extra calls were made of one that posts."""
    posts: list[bytes] = []

    def hear(asked: Asked) -> Answer:
        posts.append(asked.body)
        return Answer()

    bodies = list(stream(150))
    done = 0
    with serving(hear) as port:
        loaded = script(
            tmp_path,
            f"{before}URL = 'http://127.0.0.1:{port}'\n{HEAD}".replace(
                "def run(data):\n", f"def run(data):\n    rows = json.loads(data)['data']\n{effect}"
            )
            + "    return [sum(row) for row in rows]\n",
        )
        while done < len(bodies):
            done += len(unit_parts.scored(loaded, bodies[done : done + 30]))
    seen = (tmp_path / "seen").read_text() if (tmp_path / "seen").exists() else ""
    names = vars(module_of(loaded))
    calls = len(posts) + len(seen) + len(list(tmp_path.glob("saved*"))) + names.get("count", 0)
    assert calls + len(names.get("calls", [])) == len(bodies)
    assert not merging_of(loaded).is_on
    assert why in merging_of(loaded).why


RANDOM = "import random\n" + HEAD + "    return [random.random() for _ in rows]\n"
FIRST_ONLY = HEAD + "    return [rows[0][0]] * len(rows)\n"
MEAN = (
    HEAD + "    mean = sum(row[0] for row in rows) / len(rows)\n    return [row[0] - mean + row[1] for row in rows]\n"
)
RANK = HEAD + "    return [[row[0], sorted(rows).index(row)] for row in rows]\n"
TOTAL = HEAD + "    return {'total': sum(row[0] for row in rows)}\n"
REFUSES = HEAD + "    if len(rows) > 4:\n        raise ValueError('too many')\n    return [row[0] for row in rows]\n"
EXITS = HEAD + "    if len(rows) > 4:\n        raise SystemExit\n    return [row[0] for row in rows]\n"
NO_MEMORY = HEAD + "    if len(rows) > 4:\n        raise MemoryError\n    return [row[0] for row in rows]\n"
ALL_ALIKE = HEAD + "    return [0 for row in rows]\n"


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("source", [RANDOM, FIRST_ONLY, MEAN, RANK, TOTAL, REFUSES, EXITS, NO_MEMORY, ALL_ALIKE])
def test_a_script_for_which_it_matters_who_shares_its_call_is_never_merged(tmp_path: Path, source: str) -> None:
    loaded = script(tmp_path, source)
    seen = scored(loaded, list(stream(600)))
    assert seen.merged == 0
    assert source == RANDOM or seen.wrong == 0
    assert merging_of(loaded).why


@pytest.mark.usefixtures("process")
def test_messages_that_fail_are_no_reason_not_to_merge_the_others(tmp_path: Path) -> None:
    loaded = script(tmp_path, HEAD + "    return [1 / row[1] + row[0] for row in rows]\n")
    bodies = list(stream(15_000))
    outcomes: list[object] = []
    while len(outcomes) < len(bodies) and not merging_of(loaded).is_on:
        outcomes += unit_parts.scored(loaded, bodies[len(outcomes) : len(outcomes) + 3])
    for body, outcome in zip(bodies, outcomes, strict=False):
        first, second = json.loads(body)["data"][0]
        assert isinstance(outcome, RunError) if second == 0 else outcome == [1 / second + first]
    assert merging_of(loaded).is_on


@pytest.mark.usefixtures("process")
def test_one_bad_message_that_a_script_catches_does_not_end_merging(tmp_path: Path) -> None:
    """52 of 202 public scripts give back what they catch: for all rows of a merged call."""
    loaded = script(
        tmp_path,
        "import json\ndef init():\n    pass\ndef run(data):\n    try:\n"
        "        return [sum(row) for row in json.loads(data)['data']]\n"
        "    except Exception as e:\n        return str(e)\n",
    )
    bad = json.dumps({"data": [[None, 1]]})
    spoiled = json.dumps({"data": [["x", 1]]})
    assert after_its_trial(loaded).is_on
    for other in (bad, spoiled):
        (outcome, *_) = unit_parts.scored(loaded, [*stream(1), other, *stream(2)])
        assert outcome == [sum(json.loads(next(stream(1)))["data"][0])]
    assert merging_of(loaded).is_on


def test_a_run_that_takes_long_is_merged_as_far_as_that_holds_nobody_up() -> None:
    """Half a second of calls one by one is what a comparison takes at most."""
    assert [most_merged(seconds) for seconds in (0.0, 0.002, 0.06, 0.2, 0.3)] == [64, 64, 8, 2, 0]


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("seconds", [0.0, 0.002])
def test_only_what_gains_is_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Finding and joining the rows of a message takes longer than a sum of two numbers."""
    monkeypatch.setattr("scoring.merging.merge_policy.GAIN", GAIN)
    if seconds:  # that a thread sleeps
        monkeypatch.setattr("scoring.merging.merge_policy.time", time)
    pause = f"def run(data):\n    time.sleep({seconds})\n" if seconds else "def run(data):\n"
    loaded = script(tmp_path, ROW_WISE.replace("import json", "import json, time").replace("def run(data):\n", pause))
    assert after_its_trial(loaded).is_on is bool(seconds)
    assert seconds or "too quick" in merging_of(loaded).why


@pytest.mark.usefixtures("process")
def test_each_shape_has_a_trial_of_its_own(tmp_path: Path) -> None:
    """A script that is row-wise for one method may not be so for another."""
    loaded = script(
        tmp_path,
        "import json\ndef init():\n    pass\ndef run(data):\n    data = json.loads(data)\n    rows = data['data']\n"
        "    if data.get('method') == 'rank':\n        return [sorted(rows).index(row) for row in rows]\n"
        "    return [sum(row) for row in rows]\n",
    )
    assert after_its_trial(loaded).is_on
    ranked = [json.dumps({**json.loads(body), "method": "rank"}) for body in stream(500)]
    assert scored(loaded, ranked).wrong == 0


@pytest.mark.usefixtures("process")
def test_one_in_ten_thousand_wanted_patience_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no two messages have one shape, nobody looks at each for ever."""
    monkeypatch.setattr("scoring.merging.merge_policy._PATIENCE", 500)
    loaded = script(tmp_path, ROW_WISE)
    bodies = [json.dumps({**json.loads(body), "id": n}) for n, body in enumerate(stream(2000))]
    assert scored(loaded, bodies).wrong == 0
    assert "too few" in merging_of(loaded).why


@pytest.mark.parametrize("mode", ["prove", "off", "always"])
def test_merging_as_the_setting_says(tmp_path: Path, process: pytest.MonkeyPatch, mode: str) -> None:
    """With ``prove`` messages are scored one by one until the trial is passed; the results are the same throughout."""
    process.setenv("SCORING_MERGE", mode)
    loaded = script(tmp_path, ROW_WISE)
    assert merging_of(loaded).is_on is (mode == "always")
    assert scored(loaded, list(stream(1000))).wrong == 0
    assert after_its_trial(loaded).is_on is (mode != "off")
    assert merging_of(loaded).why


def test_a_result_that_cannot_be_cut_ends_merging_even_if_it_is_wanted(
    tmp_path: Path, process: pytest.MonkeyPatch
) -> None:
    process.setenv("SCORING_MERGE", "always")
    loaded = script(tmp_path, HEAD + "    return [sum(rows[0])]\n")
    assert scored(loaded, list(stream(1000))).wrong == 0
    assert not merging_of(loaded).is_on


@pytest.mark.usefixtures("process")
def test_nothing_is_written_and_no_process_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only root without a temporary folder a proof ended all scoring."""

    def refuse(*args: object, **more: object) -> Any:
        raise OSError(30, "Read-only file system")

    loaded = script(tmp_path, ROW_WISE)
    bodies = list(stream(20_000))
    with monkeypatch.context() as nowhere:
        nowhere.setattr(tempfile, "TemporaryFile", refuse)
        nowhere.setattr(tempfile, "gettempdir", refuse)
        nowhere.setattr(os, "fork", refuse)
        nowhere.setattr("subprocess.Popen", refuse)
        real = builtins.open
        nowhere.setattr(
            builtins, "open", lambda file, mode="r", *a, **k: real(file, mode, *a, **k) if "r" in mode else refuse()
        )
        done = 0
        while done < len(bodies):
            done += len(unit_parts.scored(loaded, bodies[done : done + 40]))
    assert merging_of(loaded).is_on


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("where", ["mergeable", "exact", "differences", "split"])
@pytest.mark.parametrize("error", [MemoryError(), OSError("gone"), SystemExit(), RecursionError()])
def test_whatever_fails_in_merging_is_no_failure_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException
) -> None:
    """It means that requests are not merged, and why."""
    loaded = script(tmp_path, ROW_WISE)
    scored(loaded, list(stream(40)))

    def fail(*args: object) -> Any:
        raise error

    for place in ("scoring.merging.merge_policy", "scoring.merging.comparison"):
        monkeypatch.setattr(f"{place}.{where}", fail, raising=False)
    assert scored(loaded, list(stream(500))).wrong == 0
    assert not merging_of(loaded).is_on
    assert type(error).__name__ in merging_of(loaded).why


@pytest.mark.usefixtures("process")
def test_results_that_share_an_object_are_compared_before_the_next_call(tmp_path: Path) -> None:
    """Such a script keeps state, so it is never on trial."""
    loaded = script(
        tmp_path,
        "kept = {}\n" + HEAD + "    kept['result'] = [sum(row) for row in rows]\n    return dict(kept)\n",
    )
    assert scored(loaded, list(stream(300))).wrong == 0
    assert "changes kept" in merging_of(loaded).why


@pytest.mark.usefixtures("process")
def test_an_error_of_a_single_message_is_its_own_while_merged(tmp_path: Path) -> None:
    loaded = script(tmp_path, ROW_WISE)
    assert after_its_trial(loaded).is_on
    bad = json.dumps({"data": [["x", 1]]})
    worse = json.dumps({"data": [[None, 1.0]]})
    (outcome, *_) = unit_parts.scored(loaded, [bad, *stream(3)])
    assert isinstance(outcome, ScoringError)
    (outcome, *_) = unit_parts.scored(loaded, [worse, worse, *stream(3)])
    assert isinstance(outcome, ScoringError)
    assert scored(loaded, list(stream(100))).wrong == 0
    assert merging_of(loaded).is_on


DRIVE = """
import sys, json, tempfile
from pathlib import Path
from types import SimpleNamespace
from scoring.predictions import Request
from scoring.scripts.loading import load
try:
    tempfile.TemporaryFile()
    sys.exit("a temporary file is possible")
except OSError:
    pass
loaded = load(Path("/mnt"))
loaded.init()
done = 0
while done < 9000:
    done += len(loaded.score([Request(json.dumps({"data": [[n / 7, 1]]})) for n in range(done, done + 30)]))
print(loaded.merging.is_on)
"""


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="needs root, and util-linux' unshare")
def test_a_read_only_root_without_a_temporary_folder(tmp_path: Path) -> None:
    """Where a device should run it: docker run --read-only."""
    source = ROW_WISE.replace("import json", "import json, time").replace("    rows", "    time.sleep(3e-4)\n    rows")
    (tmp_path / "score.py").write_text(source)
    hide = "for d in /tmp /var/tmp /usr/tmp; do [ -d $d ] && mount --bind $d $d && mount -o remount,ro,bind $d; done"
    mounts = f"mount --bind {tmp_path} /mnt && mount -o remount,ro,bind /mnt && {{ {hide}; cd /mnt; }}"
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$0" -B -c "$1"', sys.executable, DRIVE],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    if "permission denied" in ended.stderr.lower():
        pytest.skip("mounting is not allowed here: run as root on a machine or with CAP_SYS_ADMIN")
    assert (ended.stdout.strip(), ended.returncode) == ("True", 0), ended.stderr
