"""Scripts that ``build`` lets through or refuses; none of them is run."""

from pathlib import Path

import pytest

from module.errors import SettingsError
from module.packaging.image.script_check import check_script

INIT = "def init(): pass\n"
RUN = "def run(raw_data): return raw_data\n"


@pytest.mark.parametrize(
    "script",
    [
        INIT + RUN,
        INIT + "async def run(raw_data): return raw_data\n",
        "from model import init, run\n",
        "import model\ninit, run = model.init, model.run\n",
        "from model import *\n",
        "import model\nglobals().update(vars(model))\n",
        "try:\n    from fast import run\nexcept ImportError:\n    def run(raw_data): return 1\ninit = lambda: None\n",
        "def make():\n    global run\n    run = print\nmake()\n" + INIT,
        "driver_module = __import__('inner')\n" + INIT,
        "import os\nos._exit(9)\n" + INIT + RUN,
        "pattern = '\\d'\n" + INIT + RUN,
        "# -*- coding: latin-1 -*-\nname = '\xe9'\n" + INIT + RUN,
    ],
)
def test_what_may_load_is_let_through(tmp_path: Path, script: str, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "score.py"
    file.write_bytes(script.encode("latin-1"))
    check_script(file, "3.11")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (INIT, r"score\.py has no function run\(\): add def run\(raw_data\)"),
        (RUN, r"score\.py has no function init\(\): add def init\(\)"),
        ("", r"score\.py has no function run\(\)"),
        ("class Model:\n    def init(self): pass\n    def run(self, data): pass\n", r"has no function run\(\)"),
        ("def make():\n    def run(data): pass\n" + INIT, r"has no function run\(\)"),
        (INIT + "def run(raw_data)\n    return 1\n", r"score\.py line 2 does not compile: expected ':'"),
        (INIT + RUN + "return 1\n", r"score\.py line 3 does not compile: 'return' outside function"),
        (INIT + RUN + "print 'old'\n", r"score\.py line 3 does not compile: Missing parentheses"),
        (INIT + RUN + "\0", r"score\.py.* does not compile: .*null bytes"),
        (INIT + RUN + "name = '\xe9'\n", r"score\.py.* does not compile: .*utf-8"),
    ],
)
def test_what_no_device_could_load_is_a_sentence(tmp_path: Path, script: str, sentence: str) -> None:
    file = tmp_path / "score.py"
    file.write_bytes(script.encode("latin-1"))
    with pytest.raises(SettingsError, match=sentence) as caught:
        check_script(file, "3.11")
    assert "\n" not in str(caught.value)


def test_what_a_newer_python_may_take_is_left_to_it(tmp_path: Path) -> None:
    file = tmp_path / "score.py"
    file.write_text(f"{INIT}def run[T](raw_data: T) -> T:\n    return f'{{raw_data['a']}}'\n")
    check_script(file, "3.99")
    file.write_text("def init()\n")
    with pytest.raises(SettingsError, match="does not compile"):
        check_script(file, "3.99")
