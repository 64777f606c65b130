"""Which scripts may be called more often than they have messages: those that act on nothing and keep nothing."""

import ast
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit_parts import scored

from scoring.merging.reading.body import _CAPS
from scoring.merging.reading.calls import what_stands_against
from scoring.scripts.loading import load

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
class Empty(Exception):
    n = 0
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
    "return os.environ.get('A', data)": "uses os.environ, which anybody may set anew between two calls: read it",
    "import io\nreturn io.BytesIO(data)": "calls io.BytesIO(), which is not known to be harmless",
    "open('x', 'w')": "calls open(), which is not known to be harmless",
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
    "GROWS[data]": "holds collections.defaultdict",
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
    "[KEPT for KEPT in [1]]\nKEPT.update(a=1)": "changes KEPT",
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
    "Failure.seen = 1": "uses Failure",
    "TEXT.upper()": "TEXT",
    "TOOLS['save']('x', 1)": "TOOLS",
    "m = os\nm.remove('x')": "uses the module os",
    "m = np\nm.get('x')": "uses the module np",
    "type(model).n = 1": "changes type(model)",
    "import decimal\ndecimal.getcontext().prec = 3": "getcontext",
    "import struct\nstruct.pack_into('i', WEIGHTS, 0, 1)": "pack_into",
    "try:\n    raise ValueError(NAMES)\nexcept ValueError as e:\n    e.args[0].append(1)": "changes e.args[0]",
    "try:\n    raise KeyError(*[NAMES])\nexcept KeyError as e:\n    (a,) = e.args\n    a.append(1)": "KeyError",
    "global KEPT\ntry:\n    pass\nexcept ValueError as KEPT:\n    pass": "sets KEPT",
    "k = Empty\nk.n = Empty.n + 1": "changes k",
    "k = json.loads\nk.count = 1": "changes k",
    "global last\nt = [sum(last) for last in [[1]]]\nlast = 1": "sets last",
    "global last\nt = [(last := 1) for each in [1]]": "sets last",
    "global last\ndel last": "sets last",
    "global last\nimport json as last": "sets last",
    "global last\nfor last in [1]:\n    pass": "sets last",
    "global last\nwith np.errstate() as last:\n    pass": "sets last",
    "(lambda: (last := 1))()": "sets a name within a lambda",
    "[0 for NAMES[0] in [1]]": "changes NAMES",
    "[0 for x in [1] for y in [z] for z in [1]]": "uses z before it is set",
    "from copy import deepcopy as f\nf = scale\nf(NAMES)": "for two things",
    "f = scale\nfrom copy import deepcopy as f": "for two things",
    "import json as f\nimport math as f": "for two things",
    "import xml.dom.expatbuilder": "imports within a function",
    "import xml.dom.expatbuilder as f": "imports within a function",
    "f()\nf = f": "calls f()",
    "return f\nfor f.x in []:\n    pass": "is not there",
    "f: int\nreturn f": "set in no way",
    "os.system('true').x: int": "calls os.system()",
    "match data:\n    case NAMES:\n        pass": "not understood (Match)",
    "try:\n    pass\nexcept* ValueError as e:\n    pass": "not understood (TryStar)",
    "return np.array(['now'], dtype=f'M8[s]')": "the text 'now'",
    "return pd.Series([datetime.datetime(2020, 1, 1)]) < ' Today'": "the text ' Today'",
    "import scipy.special\nscipy.special.seterr(all='raise')": "scipy.special.seterr()",
    "model.get_booster().update(1)": "changes model.get_booster()",
}

# A name means the same in every scope as it does for Python.
HARMLESS += [
    "global NAMES\nreturn [value for value in NAMES if [NAMES for value in [1]]]",
    "t = [sum(row) for row in json.loads(data)]\nrow = [0]\nrow.append(1)\nreturn [row, t]",
    "row = json.loads(data)\nrow.append(sorted(NAMES, key=lambda row: [row for row in row]))\nreturn row",
    "last = None\nfor value in json.loads(data):\n    if last:\n        del last\n    last = value\nreturn last",
    "import scipy.special\nimport math\nreturn scipy.special.expit(math.sqrt(scipy.special.logsumexp([1])))",
    "return str(pd.to_datetime(json.loads(data)) - np.datetime64('2020', 's'))",
    "kept = [KEPT for KEPT in [[1]]]\nkept[0].append(1)\nreturn kept",
    "while_ = [(n, m) for n in [1] for m in [n] if (top := m)]\nreturn [top, while_]",
]


def against(folder: Path, body: str, before: str = IMPORTS, text: bool = True, parameters: str = "data") -> str:
    (folder / "score.py").write_text(f"{before}\ndef run({parameters}):\n    " + body.replace("\n", "\n    ") + "\n")
    script = load(folder)
    script.init()
    kind: Any = script.score.__self__  # type: ignore[attr-defined]
    return what_stands_against(kind.run.function, text=text)


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


DISGUISES = """
import bisect, collections, copy, functools, heapq, itertools, json, logging, operator, queue, re, types
import numpy as np
import pandas as pd
from collections import deque
from scipy import ndimage
from sklearn.linear_model import LinearRegression
from sklearn.utils import resample
HISTORY, GRID, RNG, WAITING = [], np.zeros(3), np.random.RandomState(1), queue.Queue()
LISTS, LAST = {"a": []}, deque(maxlen=3)
def act(value=None, *more):
    open("seen", "a").write("x")
    return value
def stateful(value, seen=[0]):
    seen[0] += 1
    return seen[0]
def takes(value, waiting=WAITING):
    return waiting.get()
class Model:
    def predict(self, rows):
        return act(rows)
class Sub(LinearRegression):
    pass
class Loud(logging.Logger):
    def info(self, *what):
        act()
class Number(np.float64):
    def __add__(self, other):
        return act(other)
class Alarm(Exception):
    def __init__(self, what):
        act()
class BaseAlarm(Alarm):
    pass
class TellingAlarm(Exception):
    def __str__(self):
        return act("x")
class LeavingAlarm(Exception):
    def __del__(self):
        act()
class CountingAlarm(ValueError):
    seen = []
class Reads:
    def __get__(self, one, kind):
        return act(7)
class Config:
    limit = Reads()
    on_class = classmethod(act)
class Meta(type):
    limit = property(act)
class OfMeta(metaclass=Meta):
    pass
@functools.wraps(len)
def liar(value, more):
    more["a"] = value
log = Loud("x")
ufunc, number = np.frompyfunc(act, 1, 1), Number(1)
steps, proxy, series = deque([act]), types.MappingProxyType({"a": act}), pd.Series({"a": act})
models, named = deque([Model()]), types.MappingProxyType({"a": Model()})
sub, own, patched, steered = Sub(), Model(), LinearRegression(), LinearRegression()
frame = pd.DataFrame({"a": [act]})
objects = np.array([act, act])
steered.predict = act
bound, partial, cached = HISTORY.append, functools.partial(act, 1), functools.lru_cache(act)
def init():
    pass
"""

DISGUISED = [
    "bisect.insort(HISTORY, data)",
    "heapq.heappush(HISTORY, data)",
    "operator.setitem(LISTS, 'a', data)",
    "operator.methodcaller('append', data)(HISTORY)",
    "list(map(operator.methodcaller('append', data), [HISTORY]))",
    "deque.append(LAST, data)",
    "list.append(HISTORY, data)",
    "list(map(list.append, [HISTORY], [data]))",
    "collections.deque.append(LAST, data)",
    "stateful(data)",
    "takes(data)",
    "(lambda value, waiting=WAITING: waiting.get())(data)",
    "return sorted(data, key=lambda value, waiting=WAITING: waiting.get())",
    "return WAITING.get()",
    "return float(ufunc(1))",
    "return list(map(ufunc, [1]))",
    "return number + 1",
    "raise BaseAlarm('x')",
    "return str(TellingAlarm())",
    "try:\n    raise LeavingAlarm('x')\nexcept LeavingAlarm:\n    return 1",
    "raise CountingAlarm()",
    "return [step(data) for step in steps]",
    "return proxy['a'](data)",
    "return pd.Series([1]).map(series['a'])",
    "return frame['a'].map(series)",
    "return [each(data) for each in objects]",
    "return [each.predict(data) for each in models]",
    "return named['a'].predict(data)",
    "return own.predict(data)",
    "return sub.predict(data)",
    "return steered.predict(data)",
    "log.info('x')",
    "bound(data)",
    "return partial()",
    "return cached(data)",
    "return Config.limit",
    "return Config.on_class()",
    "return OfMeta.limit",
    "h = GRID.astype(float, copy=False)\nh[0] += 1",
    "h = GRID.astype(float, 'K', 'unsafe', True, False)\nh[0] += 1",
    "h = GRID.view()\nh[0] += 1",
    "h = GRID.ravel()\nh[0] += 1",
    "h = GRID.reshape(3, 1)\nh[0] += 1",
    "h = GRID[1:]\nh[0] += 1",
    "h = np.asarray(GRID)\nh[0] += 1",
    "h = np.array(GRID, copy=False)\nh[0] += 1",
    "h = pd.Series([1.0]).to_numpy()\nk = series.to_numpy()\nk[0] = 1",
    "lists = LISTS.copy()\nlists['a'] += [data]",
    "lists = dict(LISTS)\nlists['a'] += [data]",
    "ndimage.convolve1d(GRID, [0, 2.0, 0], output=GRID)",
    "ndimage.convolve1d(GRID, [0, 2.0, 0], -1, GRID)",
    "resample([1, 2], random_state=RNG)",
    "np.nan_to_num(GRID, False)",
    "np.nan_to_num(GRID, copy=False)",
    "np.nan_to_num(x=GRID, copy=False)",
    "np.nan_to_num(GRID, copy=bool(data))",
    "np.median(GRID, None, None, True)",
    "kind = pd.DataFrame\nkind.n = 1",
    "h = pd.DataFrame({'a': GRID}, copy=False)\nh += 1",
    "liar(1, LISTS)",
    "x = list(LISTS.values())\nx[0] += [1]",
    "return re.sub('a', HISTORY.append, data)",
    "return json.loads(data, object_hook=act)",
    "with np.errstate(call=act):\n    np.log(0)",
    "np.add.at(GRID, [0], 1)",
    "np.add.reduce(np.ones(3), 0, None, GRID)",
    "list(map(np.exp, [1.0], [GRID]))",
    "functools.reduce(np.exp, [GRID, GRID])",
    "exp = np.exp\nlist(map(exp, [1.0], [GRID]))",
    "pd.DataFrame([[1.0]]).apply(np.exp, args=(GRID,))",
    "np.exp(1.0, *[GRID])",
    "np.exp(1.0, **{'out': GRID})",
    "GRID.clip(0, 1, GRID)",
    "GRID.cumsum(out=GRID)",
    "GRID.sum(0, None, GRID)",
]


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("body", DISGUISED)
def test_disguised_acts_and_disguised_state(tmp_path: Path, body: str) -> None:
    """Each was taken for harmless, or is a relative of one that was."""
    assert against(tmp_path, body, DISGUISES)


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(
    "parameters",
    ["data, seen=[0]", "data, seen={'n': 0}", "data, *, seen=[]", "data, seen=WAITING", "data, seen=(RNG,)"],
)
def test_a_default_outlives_the_call(tmp_path: Path, parameters: str) -> None:
    """One list, for all calls: 1,600 of 2,000 answers were wrong."""
    body = "return seen.get()" if "WAITING" in parameters else "seen[0] = 1\nreturn data"
    assert against(tmp_path, body, DISGUISES, parameters=parameters)
    assert against(tmp_path, "return data", DISGUISES, parameters="data, factor=2, name=('a',)") == ""


@pytest.mark.usefixtures("process")
def test_a_module_that_makes_its_attributes_up(tmp_path: Path) -> None:
    (tmp_path / "made_up_of_this_test.py").write_text(
        "def __getattr__(name):\n    open('seen', 'a').write('x')\n    return 5\n"
    )
    before = "import made_up_of_this_test as helper\ndef init():\n    pass"
    assert against(tmp_path, "return helper.limit", before)
    assert not (tmp_path / "seen").exists()


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("where", ["LinearRegression", "sklearn.linear_model._base.LinearModel"])
def test_a_method_that_is_patched_on_a_librarys_class(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is a model's; what it does is the script's."""
    from sklearn.linear_model import LinearRegression

    for kind in LinearRegression.__mro__:
        if "predict" in vars(kind):
            monkeypatch.setattr(kind, "predict", vars(kind)["predict"])
    monkeypatch.setattr(LinearRegression, "predict", LinearRegression.predict)
    before = (
        "import sklearn.linear_model\nfrom sklearn.linear_model import LinearRegression\nclass Own:\n"
        f"    def predict(self, rows):\n        return rows\n{where}.predict = Own.predict\n"
        "model = LinearRegression()\ndef init():\n    pass"
    )
    assert "predict" in against(tmp_path, "return model.predict(data)", before)


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("name", ["json.loads", "np.exp", "pd.DataFrame", "pd.DataFrame.from_dict", "log.info"])
def test_a_function_that_is_patched_into_a_library(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found under a known name has to be the library's own."""
    import json

    import pandas as pd

    for owner, attribute in ((json, "loads"), (np, "exp"), (pd, "DataFrame")):
        monkeypatch.setattr(owner, attribute, getattr(owner, attribute))
    monkeypatch.setattr(pd.DataFrame, "from_dict", vars(pd.DataFrame)["from_dict"])
    before = (
        "import json, logging\nimport numpy as np\nimport pandas as pd\nlog = logging.getLogger('patched')\n"
        f"class Own:\n    def __init__(self, value):\n        open('seen', 'a').write('x')\n"
        f"{name} = Own\ndef init():\n    pass"
    )
    assert against(tmp_path, f"return {name}(data)", before)


@pytest.mark.usefixtures("process")
def test_the_sentence_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "helpers_of_this_test.py").write_text("import os\n\ndef act(data):\n    os.system(data)\n")
    before = "import helpers_of_this_test as helpers\ndef init():\n    pass"
    said = against(tmp_path, "return helpers.act(data)", before)
    assert said == "helpers_of_this_test.py line 4 calls os.system(), which is not known to be harmless"


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
    assert "changes data" in against(tmp_path, "if type(data) is dict:\n    data['x'] = 1\nreturn data", text=False)
    assert against(tmp_path, "return data['x'] if type(data) is dict else data", text=False) == ""


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
@pytest.mark.parametrize(
    "model",
    [
        "sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), sklearn.linear_model.Ridge())",
        "sklearn.ensemble.GradientBoostingRegressor(n_estimators=2)",
        "sklearn.ensemble.RandomForestRegressor(2)",
        "sklearn.neural_network.MLPRegressor(hidden_layer_sizes=(2,), max_iter=2)",
        "sklearn.svm.SVR()",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_models_of_a_library_score(tmp_path: Path, model: str) -> None:
    before = (
        "import sklearn.ensemble, sklearn.linear_model, sklearn.neural_network, sklearn.pipeline\n"
        "import joblib, json, sklearn.preprocessing, sklearn.svm\ndef init():\n    global models\n"
        f"    joblib.dump({model}.fit([[0, 0], [1, 2], [2, 1]], [0, 1, 2]), 'model.joblib')\n"
        "    models = {'a': joblib.load('model.joblib')}\n"
    )
    assert against(tmp_path, "return models['a'].predict(json.loads(data)['data']).tolist()", before) == ""


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


def test_what_is_read_by_its_parts_sets_no_name() -> None:
    """Python's grammar writes a name that a statement sets as an identifier, or as an expression of its own."""
    assert [kind for kind in _CAPS if "identifier" in (kind.__doc__ or "")] == [ast.Global]


@pytest.mark.usefixtures("process")
def test_a_name_that_means_another_within_a_class(tmp_path: Path) -> None:
    """``__last`` is ``_Tools__last`` there."""
    before = "__last = 1\n_Tools__last = []\nclass Tools:\n    @staticmethod\n    def go():\n        return __last\n"
    assert "go() is not understood" in against(tmp_path, "return Tools.go()", before + "def init():\n    pass")


def test_what_is_no_function_is_not_understood() -> None:
    assert what_stands_against(np.exp, text=True)
    assert what_stands_against(logging.getLogger().info, text=True)
    assert what_stands_against(lambda data: data, text=True)
