"""Merging requests of a script that takes one: only where it changes nothing, and never where it might."""

import itertools
import json
import random
import time
from pathlib import Path

import numpy as np
import pytest
from unit_parts import scored

from scoring.merge import merge, mergeable, split
from scoring.merging import Merging
from scoring.proof import Child, Verdict, prove
from scoring.script import load

SAMPLES = [json.dumps({"data": [[n * 0.37, n % 5]]}) for n in range(8)]


def rows_of(text: object) -> list[list[float]]:
    """Give the rows of a request as the scripts below parse them."""
    assert isinstance(text, str)
    rows: list[list[float]] = json.loads(text)["data"]
    return rows


def row_wise(text: object) -> object:
    return json.dumps({"result": [sum(row) for row in rows_of(text)]})


def test_requests_of_one_shape_become_one_request_and_its_result_several() -> None:
    requests = [mergeable(sample) for sample in SAMPLES[:3]]
    merged = merge([request for request in requests if request])
    assert json.loads(str(merged))["data"] == [row for sample in SAMPLES[:3] for row in json.loads(sample)["data"]]
    assert split(row_wise(merged), 3, 1) == [row_wise(sample) for sample in SAMPLES[:3]]


@pytest.mark.parametrize(
    "other",
    [
        '{"data": [[1, 2, 3]]}',
        '{"data": [[1, 2], [3, 4]]}',
        '{"data": [["1", 2]]}',
        '{"data": [[1, 2]], "method": "proba"}',
        '{"rows": [[1, 2]]}',
        "[[1, 2]]",
    ],
)
def test_requests_that_differ_in_more_than_their_values_have_different_shapes(other: str) -> None:
    one, two = mergeable('{"data": [[1, 2]]}'), mergeable(other)
    assert one is not None
    assert two is not None
    assert one.shape != two.shape


@pytest.mark.parametrize("text", ["", "{", "5", '{"a": 1}', '{"a": [1, 2]}', '{"a": [[1]], "b": [[2]]}', "[]"])
def test_what_holds_no_rows_or_two_kinds_of_them_is_not_merged(text: str) -> None:
    assert mergeable(text) is None


@pytest.mark.parametrize("result", [None, 5, "text", [1, 2], {"a": 1}, {"a": [1, 2, 3], "b": [1]}, '{"a": [1]}'])
def test_a_result_without_an_entry_a_row_cannot_be_split(result: object) -> None:
    assert split(result, 3, 1) is None


def test_arrays_are_cut_into_arrays_so_that_their_type_stays() -> None:
    parts = split(np.arange(6, dtype=np.float32).reshape(6, 1), 3, 2)
    assert parts is not None
    assert all(isinstance(part, np.ndarray) and part.dtype == np.float32 and part.shape == (2, 1) for part in parts)


def test_a_row_wise_script_is_proved() -> None:
    assert prove(row_wise, SAMPLES).proved


def first_row_only(text: object) -> object:
    return [rows_of(text)[0][0]] * len(rows_of(text))


def mean_of_the_batch(text: object) -> object:
    rows = rows_of(text)
    mean = sum(row[0] for row in rows) / len(rows)
    return [row[0] - mean + row[1] for row in rows]


def rank_in_the_batch(text: object) -> object:
    rows = rows_of(text)
    return [[row[0], sorted(rows).index(row)] for row in rows]


def random_output(text: object) -> object:
    return [random.random() for _ in rows_of(text)]


def one_answer_for_all(text: object) -> object:
    return {"total": sum(row[0] for row in rows_of(text))}


def refuses_more_than_four(text: object) -> object:
    rows = rows_of(text)
    if len(rows) > 4:
        raise ValueError("too many")
    return [row[0] for row in rows]


_calls = itertools.count()


def counts_its_calls(text: object) -> object:
    calls = next(_calls)
    return [row[0] + calls for row in rows_of(text)]


@pytest.mark.parametrize(
    "call",
    [
        first_row_only,
        mean_of_the_batch,
        rank_in_the_batch,
        random_output,
        one_answer_for_all,
        refuses_more_than_four,
        counts_its_calls,
    ],
)
def test_a_script_for_which_it_matters_who_shares_its_call_is_never_proved(call: object) -> None:
    verdict = prove(call, SAMPLES)  # type: ignore[arg-type]
    assert not verdict.proved
    assert verdict.why


@pytest.mark.parametrize("samples", [[], SAMPLES[:2], [SAMPLES[0]] * 9, ["5"] * 9])
def test_too_few_different_samples_prove_nothing(samples: list[str]) -> None:
    assert prove(row_wise, samples) == Verdict(False, "needs 3 different samples with rows of one shape", final=False)


def test_samples_that_all_give_one_result_prove_nothing_yet() -> None:
    verdict = prove(lambda text: [0 for _ in rows_of(text)], SAMPLES)
    assert (verdict.proved, verdict.final) == (False, False)


def script(folder: Path, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "score.py").write_text(f"import json, os\ncount = 0\ndef init():\n    pass\ndef run(data):\n{body}")
    return folder


ROW_WISE = "    return [sum(row) for row in json.loads(data)['data']]\n"


def answered(child: Child) -> Verdict:
    for _ in range(600):
        if (verdict := child.verdict()) is not None:
            return verdict
        time.sleep(0.05)
    raise TimeoutError


def test_the_proof_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    folder = script(tmp_path, "    open('ran', 'a').write(f'{os.getpid()} ')\n" + ROW_WISE)
    assert answered(Child(folder, "score.py", SAMPLES, memory_mb=1024, seconds=30)).proved
    assert len({*(folder / "ran").read_text().split()}) == 1


@pytest.mark.parametrize(
    "body",
    [
        "    os._exit(1)\n",
        "    return [bytearray(3 << 30)]\n",
        "    import time; time.sleep(60)\n",
        "    raise SystemExit\n",
    ],
)
def test_a_proof_that_dies_hangs_or_takes_too_much_memory_is_a_no(tmp_path: Path, body: str) -> None:
    verdict = answered(Child(script(tmp_path, body), "score.py", SAMPLES, memory_mb=1024, seconds=2))
    assert not verdict.proved


@pytest.mark.parametrize("mode", ["prove", "off", "always"])
def test_merging_as_the_setting_says(tmp_path: Path, process: pytest.MonkeyPatch, mode: str) -> None:
    """With ``prove`` messages are scored one by one until the proof is there; the results are the same throughout."""
    process.setenv("SCORING_MERGE", mode)
    loaded = load(script(tmp_path, "    global count; count += 1\n" + ROW_WISE))
    merging = loaded.merging
    assert isinstance(merging, Merging)
    expected = [[sum(rows_of(sample)[0])] for sample in SAMPLES]
    for _ in range(200):
        outcomes: list[object] = []
        while len(outcomes) < len(SAMPLES):
            outcomes += scored(loaded, SAMPLES[len(outcomes) :])
        assert outcomes == expected
        if merging.is_on or mode == "off":
            break
        time.sleep(0.05)
    assert merging.is_on is (mode != "off")
    assert merging.why


def test_a_difference_in_a_merged_call_ends_merging_for_good(tmp_path: Path, process: pytest.MonkeyPatch) -> None:
    process.setenv("SCORING_MERGE", "always")
    loaded = load(script(tmp_path, "    return [sum(json.loads(data)['data'][0])]\n"))
    assert scored(loaded, SAMPLES) == [[sum(rows_of(sample)[0])] for sample in SAMPLES]
    assert loaded.merging is not None
    assert not loaded.merging.is_on
