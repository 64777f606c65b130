"""What NumPy 1 and pandas 1 had, put back for a script that uses it, with the values that those gave."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from unit_parts import scored

from scoring.scripts.loading import load

pytestmark = pytest.mark.usefixtures("process", "libraries")


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away again what a script had put back."""
    for owner in (pd, pd.DataFrame, pd.Series, np):
        for name in ("append", "iteritems", "applymap", "as_matrix", "get_values", "mad", "asscalar", "mat", "round_"):
            monkeypatch.setattr(owner, name, None, raising=False)
            monkeypatch.delattr(owner, name)
    for owner, name in ((pd.DataFrame, "fillna"), (pd.DataFrame, "drop"), (pd, "concat"), (pd, "read_json")):
        monkeypatch.setattr(owner, name, getattr(owner, name))


@pytest.mark.parametrize(
    ("expression", "gives"),
    [
        ("np.asscalar(np.array([2.5]))", 2.5),
        ("np.round_(np.mat([[1.25]]), 1).tolist()", [[1.2]]),
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
