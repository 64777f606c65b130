"""Which scripts may be called more often than they have messages: those that act on nothing and keep nothing."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit_parts import scored

from scoring.reading import what_stands_against
from scoring.script import load

IMPORTS = """
import base64, collections, copy, datetime, functools, itertools, json, logging, math, os, pickle, random, re, sys, time
import numpy as np
import pandas as pd
import joblib
from json import loads
from pathlib import Path
log = logging.getLogger(__name__)
LIMIT, NAMES, KEPT, TABLE = 9, ["a", "b"], {}, {"a": [1, 2]}
GROWS = collections.defaultdict(list)
COUNT = itertools.count()
WEIGHTS = np.arange(2.0)
model = None
class Own:
    def predict(self, rows):
        open("seen", "a").write("x")
        return rows
own = Own()
def init():
    global model
    from sklearn.linear_model import LinearRegression
    model = LinearRegression().fit([[0, 0], [1, 2], [2, 1]], [0, 1, 2])
def scale(rows, factor=2):
    return [[value * factor for value in row] for row in rows]
def add_column(frame):
    frame["sum"] = frame.sum(axis=1)
    return frame
def append(values, value):
    values.append(value)
    return values
def remembers(row, rows=[]):
    rows.append(row)
    return rows
def counts():
    counts.calls = 1
def posts(row):
    return os.system("true")
@functools.lru_cache
def cached(value):
    return value
def with_rest(first, *rest, own, kept):
    kept["a"] = 1
    return own
class Failure(Exception):
    seen = []
class Text(str):
    def upper(self):
        open("seen", "a").write("x")
TEXT, TOOLS = Text("x"), {"save": np.save, "eval": eval, "os": os, "numpy": np, "system": os.system}
def recursive(value):
    return recursive(value - 1) if value > 0 else 0
"""

HARMLESS = [
    "return json.loads(data)",
    "return loads(data)['data']",
    "rows = json.loads(data)['data']\nreturn [sum(row) for row in rows]",
    "rows = np.array(json.loads(data)['data'])\nrows[rows > LIMIT] = LIMIT\nreturn rows.sum(axis=1).tolist()",
    "rows = np.array(json.loads(data)['data'])\nrows -= rows.mean()\nreturn (rows * WEIGHTS).tolist()",
    "frame = pd.DataFrame(json.loads(data), columns=NAMES)\nframe['c'] = frame['a'] * 2\nreturn frame.to_dict()",
    "frame = add_column(pd.DataFrame(json.loads(data)))\nreturn frame['sum'].tolist()",
    "frame = pd.DataFrame(json.loads(data))\nframe.fillna(0, inplace=True)\nreturn model.predict(frame).tolist()",
    "return model.predict(scale(json.loads(data)['data'])).tolist()",
    "return {'labels': [NAMES[int(n)] for n in model.predict(json.loads(data))]}",
    "out = []\nfor n in json.loads(data):\n    out.append(NAMES[n])\nout.sort()\nreturn out",
    "result = {}\nresult['a'] = TABLE['a']\nresult['b'] = 1\nreturn result",
    "try:\n    return json.dumps({'result': model.predict(json.loads(data)).tolist()})\nexcept Exception as e:\n"
    "    return json.dumps({'error': str(e)})",
    "log.info('scoring %s', data)\nprint('scoring', data)\nlogging.warning('x')\nreturn json.loads(data)",
    "time.sleep(0.002)\nreturn json.loads(data)",
    "with np.errstate(all='ignore'):\n    return np.log(json.loads(data)).tolist()",
    "rows = json.loads(data)\nrows = sorted(rows, key=lambda row: row[0])\nreturn [max(row) for row in rows]",
    "return pd.DataFrame(json.loads(data)).apply(lambda row: row.sum() * LIMIT, axis=1).tolist()",
    "import json as j\nfrom math import sqrt\nreturn [sqrt(value) for value in j.loads(data)]",
    "return f'{base64.b64encode(data.encode()).decode()} {LIMIT:.2f}'",
    "if not re.match('[a-z]', data):\n    raise ValueError('no')\nassert data\nreturn data.strip().lower()",
    "values = append([], json.loads(data))\nvalues.append(1)\nreturn values",
    "first, *others = json.loads(data)\nfirst, second = others\nreturn [first, second]",
    "copied = copy.deepcopy(TABLE)\ncopied['b'] = 1\nreturn list(copied)",
    "names = list(NAMES)\nnames.append('c')\nreturn names",
    "return [recursive(value) for value in json.loads(data)]",
    "return model.coef_.tolist() + [datetime.datetime.strptime(data, '%Y').year]",
    "d = collections.defaultdict(list)\nd['a'].append(json.loads(data))\nreturn d",
    "return list(map(float, itertools.chain.from_iterable(json.loads(data))))",
    "rows = json.loads(data)\ndel rows[0]\nreturn rows if isinstance(rows, list) else [rows]",
]

ACTS_OR_KEEPS = {
    "open('x', 'w')": "calls open(), which may act on the world",
    "print(data, file=sys.stderr)": "which",
    "eval(data)": "calls eval()",
    "exec(data)": "calls exec()",
    "Path('x').write_text(data)": "calls Path()",
    "os.environ['A'] = data": "line",
    "os.remove(data)": "calls os.remove()",
    "posts(data)": "calls os.system()",
    "np.save('x', 1)": "calls np.save()",
    "np.random.seed(1)": "np.random.seed",
    "return random.random()": "calls random.random()",
    "return time.time()": "calls time.time()",
    "return datetime.datetime.now()": "calls datetime.datetime.now()",
    "return pd.read_csv(data)": "calls pd.read_csv()",
    "pd.DataFrame([1]).to_csv('x')": "which is not known to be harmless",
    "return pickle.loads(data)": "calls pickle.loads()",
    "joblib.dump(model, 'x')": "calls joblib.dump()",
    "model.fit([[1, 2]], [1])": "calls model.fit()",
    "model.n = 1": "changes model, which may outlive the call",
    "m = model\nm.n = 1": "changes m",
    "m = [model]\nm[0].n = 1": "changes m[0]",
    "own.predict([1])": "holds ",
    "Own()": "calls Own()",
    "global model\nmodel = 1": "sets model, which outlives the call",
    "global LIMIT\nLIMIT += 1": "sets LIMIT",
    "KEPT['a'] = data": "changes KEPT",
    "KEPT.update(a=data)": "changes KEPT",
    "KEPT.setdefault('a', []).append(data)": "KEPT",
    "kept = KEPT\nkept['a'] = data": "changes kept",
    "kept = KEPT if data else {}\nkept['a'] = data": "changes kept",
    "TABLE['a'].append(1)": "changes TABLE['a']",
    "rows = TABLE['a']\nrows.append(1)": "changes rows",
    "for rows in TABLE.values():\n    rows.append(1)": "changes rows",
    "[rows.append(1) for rows in TABLE.values()]": "changes rows",
    "both = {}\nboth['x'] = KEPT\nboth['x']['a'] = 1": "changes both['x']",
    "both = {}\nboth['x'] = {}\ninner = both['x']\ninner['k'] = KEPT\nboth['x']['k']['a'] = 1": "changes both['x']",
    "both = []\nappend(both, KEPT)\nboth[0]['a'] = 1": "changes both[0]",
    "append(NAMES, data)": "changes values",
    "NAMES.pop()": "changes NAMES",
    "NAMES.sort()": "changes NAMES",
    "del NAMES[0]": "changes NAMES",
    "names = NAMES\nnames += [1]": "changes names",
    "WEIGHTS[0] = 1": "changes WEIGHTS",
    "w = np.asarray(WEIGHTS)\nw[0] = 1": "changes w",
    "w = WEIGHTS.T\nw += 1": "changes w",
    "np.add(1, 2, out=WEIGHTS)": "write into",
    "np.add(1, 2, WEIGHTS)": "write into",
    "np.exp(1, WEIGHTS)": "write into",
    "np.copyto(WEIGHTS, 1)": "np.copyto",
    "np.fill_diagonal(WEIGHTS, 1)": "np.fill_diagonal",
    "np.nan_to_num(WEIGHTS, copy=False)": "may outlive the call",
    "remembers(data)": "changes rows",
    "counts()": "changes counts",
    "run.calls = 1": "changes run",
    "cached(data)": "cached",
    "GROWS[data]": "holds defaultdict",
    "next(COUNT)": "COUNT",
    "list(zip(COUNT, data))": "COUNT",
    "list(map(KEPT.update, [{}]))": "which is not known to be harmless",
    "list(map(open, ['x']))": "open",
    "f = open\nf('x', 'w')": "open",
    "f = getattr(os, 'system')\nf('true')": "uses the module os",
    "__import__('os').system('true')": "__import__",
    "import urllib.request\nurllib.request.urlopen('http://x')": "line",
    "import a_module_that_is_not_there": "imports within a function",
    "while True:\n    pass": "while loop",
    "def inner():\n    KEPT['a'] = 1\ninner()": "not understood",
    "class Inner:\n    pass": "not understood",
    "yield data": "not understood",
    "[KEPT for KEPT in [1]]\nKEPT.update(a=1)": "for two things",
    "(lambda: KEPT.update(a=1))()": "changes KEPT",
    "json.loads = 1": "line",
    "log.addHandler(1)": "line",
    "log.handlers.clear()": "line",
    "logging.basicConfig(level=1)": "logging.basicConfig",
    "np.set_printoptions(1)": "np.set_printoptions",
    "with open('x') as f:\n    pass": "calls open()",
    "return undefined_name": "is not there",
    "sys.stdout.write(data)": "line",
    "sys.exit()": "sys.exit",
    "with_rest(1, 2, 3, own={}, kept=KEPT)": "changes kept",
    "with_rest(1, own=KEPT, kept={})['a'] = 1": "changes with_rest",
    "Failure.seen.append(1)": "changes Failure.seen",
    "Failure.seen = 1": "changes Failure",
    "TEXT.upper()": "TEXT",
    "TOOLS['save']('x', 1)": "TOOLS",
    "m = os\nm.remove('x')": "uses the module os",
    "m = np\nm.get('x')": "uses the module np",
    "type(model).n = 1": "changes type(model)",
    "import decimal\ndecimal.getcontext().prec = 3": "getcontext",
    "import struct\nstruct.pack_into('i', WEIGHTS, 0, 1)": "pack_into",
}


def against(folder: Path, body: str, before: str = IMPORTS, text: bool = True) -> str:
    (folder / "score.py").write_text(f"{before}\ndef run(data):\n    " + body.replace("\n", "\n    ") + "\n")
    script = load(folder)
    script.init()
    names: Any = script.call.__closure__
    run = next(cell.cell_contents for cell in names if getattr(cell.cell_contents, "__name__", "") == "run")
    return what_stands_against(run, text=text)


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("body", HARMLESS)
def test_what_is_harmless(tmp_path: Path, body: str) -> None:
    assert against(tmp_path, body) == ""


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(("body", "said"), ACTS_OR_KEEPS.items())
def test_what_acts_or_keeps_or_is_not_understood(tmp_path: Path, body: str, said: str) -> None:
    """In one sentence, with the line."""
    sentence = against(tmp_path, body)
    assert sentence
    assert said in sentence


@pytest.mark.usefixtures("process")
def test_the_sentence_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "helpers_of_this_test.py").write_text("import os\n\ndef act(data):\n    os.system(data)\n")
    before = "import helpers_of_this_test as helpers\ndef init():\n    pass"
    said = against(tmp_path, "return helpers.act(data)", before)
    assert said == "helpers_of_this_test.py line 4 calls os.system(), which may act on the world"


@pytest.mark.usefixtures("process")
def test_a_neighbour_with_a_librarys_name_is_read_like_any_other(tmp_path: Path) -> None:
    """Its name makes nothing harmless."""
    (tmp_path / "orjson_of_this_test.py").write_text(
        "import os\ndef loads(data):\n    os.system(data)\nclass A: pass\n"
    )
    before = "import orjson_of_this_test as lib\nlib.__name__ = 'orjson'\nlib.loads.__module__ = 'orjson'\n"
    before += "def init():\n    pass"
    assert "os.system()" in against(tmp_path, "return lib.loads(data)", before)


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("decorator", ["@wraps_it", "@functools.lru_cache"])
def test_a_decorator_that_is_not_understood(tmp_path: Path, decorator: str) -> None:
    before = (
        "import functools, os\ndef init():\n    pass\ndef wraps_it(f):\n    @functools.wraps(f)\n"
        f"    def g(data):\n        os.system('true')\n        return f(data)\n    return g\n{decorator}"
    )
    (tmp_path / "score.py").write_text(f"{before}\ndef run(data):\n    return data\n")
    script = load(tmp_path)
    assert script.merging is not None
    scored(script, ["[[1]]"])
    assert script.merging.why != "not tried yet"


@pytest.mark.usefixtures("process")
def test_an_argument_that_is_no_text_may_be_kept_by_who_gave_it(tmp_path: Path) -> None:
    assert "changes data" in against(tmp_path, "data['x'] = 1\nreturn data", text=False)
    assert against(tmp_path, "return data['x']", text=False) == ""


@pytest.mark.usefixtures("process")
def test_models_are_looked_through(tmp_path: Path) -> None:
    """A pipeline with a function of the script's in it may do anything."""
    before = (
        "import numpy as np\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "def spy(rows):\n    open('seen', 'a').write('x')\n    return rows\n"
        "def init():\n    global model\n    model = make_pipeline(FunctionTransformer({}))\n"
    )
    assert against(tmp_path, "return model.transform(data)", before.format("np.log1p")) == ""
    assert "spy" in against(tmp_path, "return model.transform(data)", before.format("spy"))


@pytest.mark.usefixtures("process")
def test_onnx_models_score(models: Path, tmp_path: Path) -> None:
    """Through OnnxModel, or a session of ONNX Runtime's own."""
    path = next(iter(sorted(models.glob("*/model.onnx"))))
    before = (
        "import json, numpy as np, onnxruntime\nfrom scoring import OnnxModel\n"
        f"def init():\n    global model, session\n    model = OnnxModel({str(path)!r})\n"
        f"    session = onnxruntime.InferenceSession({str(path)!r}, providers=['CPUExecutionProvider'])\n"
    )
    assert against(tmp_path, "return model.predict(json.loads(data)['data'])", before) == ""
    body = (
        "name = session.get_inputs()[0].name\nreturn session.run(None, {name: np.array(json.loads(data))})[0].tolist()"
    )
    assert against(tmp_path, body, before) == ""


def test_what_is_no_function_is_not_understood() -> None:
    assert what_stands_against(np.exp, text=True)
    assert what_stands_against(logging.getLogger().info, text=True)
    assert what_stands_against(lambda data: data, text=True)
