"""Scripts that ``build`` lets through or refuses; none of them is run."""

import sys
from pathlib import Path

import pytest

from module.errors import SettingsError
from module.packaging.image import script_check
from module.packaging.image.script_check import check_for, check_needs, check_script, notes_on_versions

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
    check_script({"score.py": file}, "3.11")
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
        check_script({"score.py": file}, "3.11")
    assert "\n" not in str(caught.value)


def test_what_a_newer_python_may_take_is_left_to_it(tmp_path: Path) -> None:
    file = tmp_path / "score.py"
    file.write_text(f"{INIT}def run[T](raw_data: T) -> T:\n    return f'{{raw_data['a']}}'\n")
    check_script({"score.py": file}, "3.99")
    file.write_text("def init()\n")
    with pytest.raises(SettingsError, match="does not compile"):
        check_script({"score.py": file}, "3.99")


def written(folder: Path, **scripts: str) -> dict[str, Path]:
    """Write files, whose names have ``__`` for ``/`` and no ending; give them as they are packed."""
    files = {f"{name.replace('__', '/')}.py": text for name, text in scripts.items()}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return {name: folder / name for name in files}


def test_a_module_of_its_own_has_to_compile_too(tmp_path: Path) -> None:
    """If score.py comes to it; what else lies there may be anything."""
    files = written(
        tmp_path, score=f"from parts import inner\n{INIT}{RUN}", parts__inner="def f(:\n", train="def f(:\n"
    )
    with pytest.raises(SettingsError, match=r"parts/inner\.py line 1 does not compile"):
        check_script(files, "3.11")
    files["parts/inner.py"].write_text("import train_not\n")
    check_script(files, "3.11")


def test_the_grammar_is_that_of_the_images_python(tmp_path: Path) -> None:
    """By that Python itself where this machine has it; else as far as this one knows, which is said."""
    files = written(tmp_path, score=INIT + RUN)
    assert check_for(files, f"{sys.version_info[0]}.{sys.version_info[1]}") == ""
    assert "there is no Python 3.4 here" in check_for(files, "3.4")
    files["score.py"].write_text(f"{INIT}{RUN}match 1:\n    case _: pass\n")
    with pytest.raises(SettingsError, match=r"for Python 3\.4, which the base image has, .*score\.py line \d"):
        check_for(files, "3.4")


def test_an_installed_python_of_the_image_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = written(tmp_path, score=f"import own\n{INIT}{RUN}", own="name = 1\n", train="def f(:\n")
    monkeypatch.setattr(script_check, "_HERE", "3.99")  # so that this one is another
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if "there is no Python" in check_for(files, here):
        pytest.skip("uv finds no Python on this machine")
    files["own.py"].write_text("name = 1\nname = \n")
    with pytest.raises(SettingsError, match=r"own\.py line 2 does not compile: invalid syntax"):
        check_for(files, here)


HAVE = ["numpy", "azure.iot.device", "sklearn", "PIL", "yaml"]


@pytest.mark.parametrize(
    ("score", "own"),
    [
        ("import json, numpy.linalg\nfrom azure.iot import device\nimport azure.iot.device.aio\n", ""),
        ("from azureml.core.model import Model\nfrom inference_schema.schema_decorators import input_schema\n", ""),
        ("from sklearn.externals import joblib\nimport scoring\n", ""),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None\n", ""),
        ("try:\n    import torch\nexcept (OSError, ModuleNotFoundError):\n    torch = None\n", ""),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n", ""),
        ("def later():\n    import torch\n", ""),
        ("import own\nfrom own import anything\n", "import json\n"),
        ("import own.inner\n", "import json\nfrom . import anything\nfrom .. import more\n"),
    ],
)
def test_what_an_image_has_is_let_through(tmp_path: Path, score: str, own: str) -> None:
    files = written(tmp_path, score=score + INIT + RUN, train="import torch\n")
    files |= written(tmp_path, **({"own__inner" if "inner" in score else "own": own} if own else {}))
    check_needs(files, HAVE, "3.12", Path("myenv.yml"))


@pytest.mark.parametrize(
    ("score", "sentence"),
    [
        ("import json\nimport cv2\n", r"score\.py line 2 imports cv2: .* add opencv-python-headless to myenv\.yml"),
        ("from pandas import DataFrame\n", r"score\.py line 1 imports pandas: .* add pandas to"),
        ("import azure.storage.blob\n", r"imports azure\.storage\.blob"),
        ("def init():\n    import torch\n", r"line 2 imports torch"),
        ("try:\n    import torch\nexcept OSError:\n    pass\n", "imports torch"),
        ("try:\n    pass\nfinally:\n    import torch\n", "imports torch"),
        ("import own\n", r"own\.py line 3 imports torch"),
        ("from package import inner\n", r"package/inner\.py line 1 imports torch"),
        (
            "import package.inner as i, nosuch\n",
            r"imports nosuch; package/inner\.py line 1 imports torch: .*nosuch, torch",
        ),
        ("import package.other\n", r"imports package\.other"),
        ("import imp\n", "imports imp"),
        ("import compression.zstd\n", r"imports compression\.zstd"),
        ("from inference_schema.parameter_types.pandas_parameter_type import P\n", "imports pandas"),
    ],
)
def test_a_missing_import_is_refused(tmp_path: Path, score: str, sentence: str) -> None:
    files = written(tmp_path, score=score + INIT + RUN, own="\n\nimport torch\n", package__inner="import torch\n")
    with pytest.raises(SettingsError, match=sentence):
        check_needs(files, HAVE, "3.12", Path("myenv.yml"))


@pytest.mark.parametrize(
    ("name", "text", "have", "sentence"),
    [
        (
            "scoring.json",
            '{"inputs": {"x": {"decode": "image"}}}',
            ["numpy"],
            r"scoring\.json needs PIL: .* add pillow",
        ),
        ("scoring.json", '{"inputs": {"x": {"decode": "image"}}}', ["PIL"], ""),
        ("scoring.json", '{"inputs": {"x": ["a"]}}', [], ""),
        ("scoring.json", "{", [], ""),
        (
            "m/MLmodel",
            "flavors: {sklearn: {}, python_function: {}}",
            ["yaml"],
            r"MLmodel needs sklearn; .* needs pandas",
        ),
        ("m/MLmodel", "flavors: {sklearn: {}}", ["sklearn", "pandas", "yaml"], ""),
        ("m/MLmodel", "flavors: {prophet: {}}", ["mlflow"], ""),
        ("m/MLmodel", "flavors: {prophet: {}}", ["yaml"], "MLmodel needs mlflow"),
        ("m/MLmodel", "flavors: {onnx: {}}", [], "MLmodel needs yaml: .* add pyyaml"),
    ],
)
def test_what_a_model_without_a_script_needs(
    tmp_path: Path, name: str, text: str, have: list[str], sentence: str
) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    if not sentence:
        check_needs({name: file}, have, "3.12", Path("myenv.yml"))
        return
    with pytest.raises(SettingsError, match=sentence):
        check_needs({name: file}, have, "3.12", Path("myenv.yml"))


def test_versions_that_an_mlmodel_was_not_saved_with_are_said(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("mlflow==2.9  # itself\nScikit_Learn==1.3.2\nnumpy>=1.2\n--index-url x\n")
    versions = {"scikit-learn": "1.5.0", "numpy": "2.0"}
    for folder in ("", "model/", "azureml-models/rul/1/model/"):
        files = {f"{folder}MLmodel": file, f"{folder}requirements.txt": file}
        (said,) = notes_on_versions(files, versions)
        assert said.startswith("the MLmodel was saved with Scikit_Learn==1.3.2, and the image has 1.5.0")
    assert not list(notes_on_versions({"requirements.txt": file}, versions))
