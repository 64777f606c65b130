"""What NumPy 1 and pandas 1 had, put back for a script that uses it, with the values that those gave."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from unit_parts import scored

from scoring.errors import ScriptError
from scoring.scripts.loading import load

NUMPYS = ("asscalar", "mat", "round_", "msort", "in1d", "asfarray", "product", "alltrue", "sometrue", "cumproduct")
NUMPYS += ("trapz", "NZERO", "singlecomplex")
PANDASS = ("append", "iteritems", "applymap", "as_matrix", "get_values", "mad", "np", "datetime", "get_value", "ravel")
PANDASS += ("clip_lower", "clip_upper")
ANSWERS = [6, False, True, [2, 6]]

pytestmark = pytest.mark.usefixtures("process", "libraries")


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away again what a script had put back."""
    gone = [(np, name) for name in NUMPYS] + [(pd, "value_counts")]
    gone += [(owner, name) for owner in (pd, pd.DataFrame, pd.Series) for name in PANDASS]
    for owner, name in gone:
        monkeypatch.setattr(owner, name, None, raising=False)
        monkeypatch.delattr(owner, name)
    for owner, name in ((pd.DataFrame, "fillna"), (pd.DataFrame, "drop"), (pd, "concat"), (pd, "read_json")):
        monkeypatch.setattr(owner, name, getattr(owner, name))


@pytest.mark.parametrize(
    ("expression", "gives"),
    [
        ("np.asscalar(np.array([2.5]))", 2.5),
        ("np.round_(np.mat([[1.25]]), 1).tolist()", [[1.2]]),
        ("np.msort(np.array([[3, 1], [1, 2]])).tolist()", [[1, 1], [3, 2]]),
        ("np.in1d([[1, 2]], [2]).tolist()", [False, True]),
        ("np.asfarray([1, 2], dtype='int32').tolist()", [1.0, 2.0]),
        ("[np.product([2, 3]), np.alltrue([1, 0]), np.sometrue([1, 0]), np.cumproduct([2, 3]).tolist()]", ANSWERS),
        (
            "[np.trapz([1, 3]), np.row_stack([[1], [2]]).tolist(), np.NZERO, np.singlecomplex(1).real]",
            [2, [[1], [2]], 0, 1],
        ),
        ("pd.np.mean([1, 3]) + pd.datetime(2018, 3, 1).month", 5.0),
        ("pd.io.json.json_normalize({'a': {'b': 1}}).columns.tolist()", ["a.b"]),
        ("F.get_value(1, 'b') + F.get_value(0, 1, takeable=True)", 9),
        ("F['b'].ravel().tolist() + pd.value_counts([1, 1]).tolist()", [4, 5, 6, 2]),
        ("F['b'].clip_lower(5).clip_upper(5).tolist()", [5, 5, 5]),
        ("np.rank(np.zeros((2, 2)))", 2),
        ("isinstance(np.bool8(1), np.bool_) and issubclass(np.VisibleDeprecationWarning, Warning)", True),
        ("F.append(F, ignore_index=True)['a'].tolist()", [1.0, None, 3.0, 1.0, None, 3.0]),
        ("F.append({'a': 4.0, 'b': 1}, ignore_index=True).values.tolist()[-1]", [4.0, 1.0]),
        ("F.append([F, F]).index.tolist()", [0, 1, 2] * 3),
        ("F.append(pd.Series({'a': 9.0, 'b': 0}, name='x')).index.tolist()", [0, 1, 2, "x"]),
        ("F['b'].append(F['b']).tolist()", [4, 5, 6, 4, 5, 6]),
        ("[name for name, column in F.iteritems()]", ["a", "b"]),
        ("F.applymap(lambda value: -value)['b'].tolist()", [-4, -5, -6]),
        ("F.as_matrix(['b']).tolist()", [[4], [5], [6]]),
        ("round(F['b'].mad(), 4)", 0.6667),
        ("F.fillna(method='ffill')['a'].tolist()", [1.0, 1.0, 3.0]),
        ("F.fillna(method='bfill').fillna(0)['a'].tolist()", [1.0, 3.0, 3.0]),
        ("F.drop('a', 1).columns.tolist()", ["b"]),
        ("F.drop([0, 2], 0).index.tolist()", [1]),
        ("pd.concat([F, F], 1).shape", [3, 4]),
    ],
)
def test_what_has_gone_is_put_back(tmp_path: Path, expression: str, gives: object) -> None:
    """By whatever name the script has imported the library; said in the log and to `check`."""
    source = "import numpy as np, pandas as pd\ndef init():\n    global F\n"
    source += "    F = pd.DataFrame({'a': [1.0, None, 3.0], 'b': [4, 5, 6]})\n"
    (tmp_path / "score.py").write_text(f"{source}def run(data): return {expression}\n")
    script = load(tmp_path)
    script.init()
    assert scored(script, ["x"]) == [gives]
    assert any(name.startswith(("numpy.", "pandas.")) for name in script.replaced)


def test_names_that_are_imported_are_put_back(tmp_path: Path) -> None:
    """Also from a file beside the script, and by another name."""
    (tmp_path / "beside.py").write_text("import numpy as n\ndef of(x): return n.asscalar(x)\n")
    (tmp_path / "score.py").write_text(
        "import numpy as np\nfrom numpy import asscalar\nimport beside\ndef init(): pass\n"
        "def run(data): return asscalar(np.array([1])) + beside.of(np.array([2]))\n"
    )
    assert scored(load(tmp_path), ["x"]) == [3]


def test_names_that_have_moved_are_put_back_where_they_were(tmp_path: Path) -> None:
    """Of SciPy, imported in each of the ways there are."""
    (tmp_path / "score.py").write_text(
        "import scipy.signal\nfrom scipy import misc\nfrom scipy.misc import logsumexp\nfrom sklearn.grid_search import"
        " GridSearchCV\ndef init(): pass\n"
        "def run(data): return [scipy.signal.hann(3).tolist(), misc.comb(4, 2), logsumexp([0.0])]\n"
    )
    script = load(tmp_path)
    assert scored(script, ["x"]) == [[[0.0, 1.0, 0.0], 6.0, 0.0]]
    assert {"scipy.signal.hann", "scipy.misc.comb", "sklearn.grid_search"} <= set(script.replaced)


@pytest.mark.parametrize(
    ("body", "form"),
    [('[{"a": 1}]', "dataframe_records"), ('{"data": [[1]]}', "dataframe_split"), ('{"inputs": [1]}', "")],
)
def test_what_read_bodies_for_mlflow_1_names_their_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, form: str
) -> None:
    """MLflow 2 wants the form's name around what MLflow 1 told apart by itself."""
    for name in ("mlflow", "mlflow.pyfunc", place := "mlflow.pyfunc.scoring_server"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules[place], "infer_and_parse_data", lambda data, schema: data, raising=False)
    (tmp_path / "score.py").write_text(
        f"from {place} import infer_and_parse_json_input\ndef init(): pass\n"
        "def run(data): return infer_and_parse_json_input(data, None)\n"
    )
    parsed = json.loads(body)
    assert scored(load(tmp_path), [body]) == [{form: parsed} if form else parsed]


@pytest.mark.parametrize(
    ("use", "advice"),
    [
        ("pd.DataFrame({'a': [1]}).ix[0]", r"'ix' \(write \.loc for labels, \.iloc for places\)"),
        ("pd.Series([1]).is_monotonic", r"write \.is_monotonic_increasing"),
        ("pd.Int64Index([1])", r"\(write pd\.Index"),
        ("pd.Series([pd.Timestamp(0)]).dt.weekofyear", r"write \.isocalendar\(\)\.week"),
        ("exec('from scipy.misc import imresize')", r"\(scipy\.misc has no pictures any more: use Pillow\)"),
        ("tensorflow.Session()", r"\(it is of TensorFlow 1: write `import tensorflow\.compat\.v1 as tf` and"),
        ("np.find_common_type([], [])", "Use `numpy.promote_types` or `numpy.result_type` instead"),
    ],
)
def test_what_nothing_can_stand_for_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str, advice: str
) -> None:
    """At start if init() uses it."""
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    (tmp_path / "score.py").write_text(
        f"import numpy as np, pandas as pd, tensorflow\ndef init(): {use}\ndef run(data): return 1\n"
    )
    with pytest.raises(ScriptError, match=advice):
        load(tmp_path).init()


@pytest.mark.parametrize("module", ["sklearn.linear_model.logistic", "pandas.core.indexes.numeric"])
def test_a_pickle_of_an_older_library_says_that_it_has_to_be_made_anew(tmp_path: Path, module: str) -> None:
    (tmp_path / "model.pkl").write_bytes(b"c" + module.encode() + b"\nModel\n.")
    (tmp_path / "score.py").write_text(
        "import pickle\ndef init(): pickle.load(open('model.pkl', 'rb'))\ndef run(data): return 1\n"
    )
    with pytest.raises(ScriptError, match=rf" has no {module}: what an older one has pickled has to be made anew with"):
        load(tmp_path).init()


def test_what_a_script_does_not_use_stays_away(tmp_path: Path) -> None:
    """A list has append() too: nothing is said of that, and what other code asks pandas for is as ever."""
    concat, drop, fillna = pd.concat, pd.DataFrame.drop, pd.DataFrame.fillna
    (tmp_path / "score.py").write_text(
        "import pandas as pd\ndef init(): pass\n"
        "def run(data):\n    found = []\n    found.append(1)\n"
        "    return pd.concat([pd.DataFrame({'a': found})], axis=1).fillna(0).drop('a', axis=1).shape\n"
    )
    script = load(tmp_path)
    assert scored(script, ["x"]) == [[1, 0]]
    assert script.replaced == {}
    assert (pd.concat, pd.DataFrame.drop, pd.DataFrame.fillna) == (concat, drop, fillna)
    with pytest.raises(AttributeError):
        pd.DataFrame().iteritems()  # type: ignore[operator]
