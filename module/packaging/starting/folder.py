"""Writes a scoring folder that works at once: around nothing, an ONNX model, a pickle or a folder of MLflow's."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ...errors import SettingsError
from ...written import cannot_write
from ..models.trees import copy_tree, draft_folder
from .pickled import read_pickle

_SMALLEST = 16
"""Pixels of a side from which on an input of one or three channels is taken for pictures."""

MLMODEL = "MLmodel"
_WITHOUT_MLFLOW = {"onnx", "sklearn", "lightgbm", "xgboost"}
"""Flavours that are loaded by their own library: mlflow itself, which is large, stays out of the image."""

_SECTIONS = {".pt": "pytorch", ".pth": "pytorch", ".keras": "keras", ".h5": "keras", ".txt": "lightgbm"}
_SECTIONS |= {".json": "xgboost", ".ubj": "xgboost", ".bst": "xgboost"}
"""What else models are saved in → the section of docs/from-your-model.md that makes ONNX of it."""

_TEMPLATES = Path(__file__).with_name("templates")


def start_folder(directory: Path, model: Path | None) -> tuple[list[str], list[str]]:
    """Write score.py or scoring.json, sample.json and myenv.yml, and copy the model; nothing is written over.

    Args:
        directory: made if it is not there; files of other names in it stay.
        model: an ONNX model, a pickle, or an MLmodel or the folder that it is in; without one the script is to be
            filled in.

    Returns:
        The names of the files that were written, and a sentence for each thing that is left to do.

    Raises:
        SettingsError: a file is there already, or the model cannot be used; then nothing was written.
    """
    if model is not None and (model / MLMODEL).is_file():
        model = model / MLMODEL
    if model is not None and not model.is_file():
        raise SettingsError(f"--from {model} is not a file{f', and has no {MLMODEL}' if model.is_dir() else ''}")
    write = _around_nothing if model is None else _WRITERS.get(model.suffix.lower() or model.name)
    if write is None:
        kinds = ", ".join(f"*{each}" if each != MLMODEL else each for each in _WRITERS)
        section = _SECTIONS.get(model.suffix.lower()) if model else None
        how = f": docs/from-your-model.md#{section} says how to make one" if section else ""
        raise SettingsError(f"--from {model} must be one of {kinds}{how}")
    made = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with draft_folder(directory) as draft:
            notes = write(draft, model) if model is not None else _around_nothing(draft)
            names = sorted(file.name for file in draft.iterdir())
            if there := [name for name in names if (directory / name).exists()]:
                raise SettingsError(f"{directory} has {', '.join(there)} already: name another folder")
            for name in names:
                (draft / name).rename(directory / name)
    except OSError as error:
        raise cannot_write(directory, error) from error
    finally:
        for each in made:  # empty ones only go: nothing was written then
            with suppress(OSError):
                each.rmdir()
    return names, notes


def _around_nothing(draft: Path, _model: Path | None = None) -> list[str]:
    shutil.copyfile(_TEMPLATES / "score.py", draft / "score.py")
    _environment(draft, [])
    _sample(draft, {"temperature": 71.5})
    return ["edit score.py where it says so, and sample.json to be one of your messages"]


def _around_onnx(draft: Path, model: Path) -> list[str]:
    from scoring.errors import ScoringError  # noqa: PLC0415 - ONNX Runtime, for such a model only
    from scoring.onnx.boxes import class_names  # noqa: PLC0415
    from scoring.onnx.model import OnnxModel  # noqa: PLC0415
    from scoring.onnx.pictures import DOT  # noqa: PLC0415
    from scoring.onnx.zeros import zero_request  # noqa: PLC0415

    copy = draft.resolve() / "model.onnx"
    shutil.copyfile(model, copy)
    for weights in model.parent.glob(f"{model.name}*"):  # beside a large model: model.onnx.data, model.onnx_data
        if weights != model and weights.is_file():
            shutil.copyfile(weights, draft / weights.name)
    try:
        loaded = OnnxModel(copy)
    except ScoringError as error:
        why = str(error).replace(str(copy), str(model))
        raise SettingsError(f"--from {model} cannot be used: {why}") from error
    metadata = loaded.session.get_modelmeta().custom_metadata_map
    names = class_names(metadata)
    boxes = {spec.name: {"boxes": form} for spec in loaded.outputs if (form := _layout(spec.shape, len(names)))}
    resize, size = "fit" if boxes else "stretch", _size(metadata.get("imgsz", ""))
    looks = {spec.name: found for spec in loaded.inputs if (found := _picture(spec.shape, resize, size))}
    pictures = {name: found for name, found in looks.items() if found.get("size", True)}
    mapped = {
        "inputs": {spec.name: pictures.get(spec.name, spec.name) for spec in loaded.inputs},
        "outputs": {spec.name: boxes.get(spec.name, spec.name) for spec in loaded.outputs},
        "keep": [],
    }
    (draft / "scoring.json").write_text(json.dumps(mapped, indent=2) + "\n", encoding="utf-8")
    _sample(draft, zero_request(loaded.inputs, None, row=loaded.batches) | dict.fromkeys(pictures, DOT))
    _environment(draft, ["pillow"] if pictures else [])
    notes = [
        f"{name} looks like pictures: see docs/onnx.md for resize, mean, std and scale"
        if name in pictures
        else f"{name} looks like pictures of any size: write {json.dumps(form | {'size': ['height', 'width']})} for it "
        f"into scoring.json, with numbers for height and width, and pillow into myenv.yml"
        for name, form in looks.items()
    ]
    return [
        "scoring.json: left of each colon the model's name, right of it the field of your messages; keep: fields that "
        "are copied into the prediction",
        *notes,
        "sample.json holds a black dot: try a picture of yours with check --sample frame.jpg"
        if pictures
        else "sample.json holds zeros: put one of your messages there",
    ]


def _size(text: str) -> list[int]:
    """Read the height and width that Ultralytics writes into an export that leaves them free; [] if there are none."""
    size = [int(each) for each in re.findall(r"[0-9]{1,4}", text)]
    return size if len(size) == 2 else []


def _picture(shape: Sequence[int | None], resize: str, size: list[int]) -> dict[str, object]:
    """Give what scoring.json says of an input that has the shape of pictures; nothing if it has not.

    Args:
        shape: of the input.
        resize: how a picture gets its size.
        size: what it gets where the model leaves height and width free.
    """
    if len(shape) not in (3, 4):
        return {}
    for layout, channels, sides in (("NCHW", shape[-3], shape[-2:]), ("NHWC", shape[-1], shape[-3:-1])):
        is_free = len(shape) == 4 and sides == (None, None)
        if channels in (1, 3) and (is_free or all(side is not None and side >= _SMALLEST for side in sides)):
            form = {"decode": "image", "layout": layout, "channels": "L" if channels == 1 else "RGB", "resize": resize}
            return form | ({"size": size} if is_free else {})
    return {}


def _layout(shape: Sequence[int | None], classes: int) -> str:
    """Give the layout of an output of boxes, in a model whose metadata names its classes; empty if it is none."""
    if not classes or len(shape) != 3:
        return ""
    layouts = {"v8": shape[1] == 4 + classes, "v5": shape[2] == 5 + classes, "v10": shape[2] == 6}
    return next((layout for layout, fits in layouts.items() if fits), "")


def _around_pickle(draft: Path, model: Path) -> list[str]:
    found = read_pickle(model)
    shutil.copyfile(model, draft / model.name)
    script = (_TEMPLATES / "pickled.py").read_text(encoding="utf-8").replace('"MODEL"', json.dumps(model.name))
    if found.names:
        made = script.replace("import numpy\n", "import pandas\n")
        frame = "pandas.DataFrame(rows, columns=COLUMNS)"
        frame += f".astype({dict.fromkeys(found.categories, 'category')})" if found.categories else ""
        script = made.replace("numpy.array(rows)", frame)
    (draft / "score.py").write_text(script.replace('["COLUMNS"]', repr(found.names)), encoding="utf-8")
    _environment(draft, found.requirements)
    zeros = dict.fromkeys(found.names, 0.0) | found.texts
    _sample(draft, {"data": [zeros or [0.0] * found.features]})
    texts = f", with categories in {', '.join(found.texts)}" if found.texts else ""
    note = f"sample.json is made up{texts}: put one of your messages there"
    return [*found.notes, note, "a pickle runs code as it is loaded: use only one that you trust"]


def _around_mlflow(draft: Path, model: Path) -> list[str]:
    from scoring.errors import ModelError  # noqa: PLC0415 - for such a model only
    from scoring.scripts.mlflow_folder import read_mlflow  # noqa: PLC0415
    from scoring.scripts.mlflow_rows import zeros  # noqa: PLC0415

    from ..environment.environment import text_of  # noqa: PLC0415

    try:
        folder = read_mlflow(model.resolve())
    except ModelError as error:
        raise SettingsError(f"--from {model} cannot be used: {error}") from error
    copy_tree(folder.path, draft / "model")
    if folder.example:
        shutil.copyfile(folder.example, draft / "sample.json")
    elif folder.fields:
        _sample(draft, zeros(folder.fields))
    saved = folder.path / "requirements.txt"
    lines = text_of(saved).split() if saved.is_file() else []
    own = {"mlflow", "pytest", "pyyaml"} if folder.flavors.keys() & _WITHOUT_MLFLOW else {"pyyaml"}
    wanted = [line for line in lines if (name := re.match(r"[\w.-]+", line)) and name[0].lower() not in own]
    _environment(draft, ["pyyaml"] if "onnx" in folder.flavors else [*wanted, "pyyaml"])
    if folder.example:
        return []
    what = "holds zeros: put one of your messages there" if folder.fields else "is missing, and so is a signature"
    return [f"sample.json {what}"]


_WRITERS: dict[str, Callable[[Path, Path], list[str]]] = {
    ".onnx": _around_onnx,
    ".pkl": _around_pickle,
    ".pickle": _around_pickle,
    ".joblib": _around_pickle,
    MLMODEL: _around_mlflow,
}


def _sample(draft: Path, body: object) -> None:
    (draft / "sample.json").write_text(json.dumps(body) + "\n", encoding="utf-8")


def _environment(draft: Path, requirements: list[str]) -> None:
    pip = "".join(f"      - {each}\n" for each in requirements)
    lines = [
        "# What score.py needs; onnxruntime and the scoring package are already in the image.",
        f"name: {re.sub(r'[^a-z0-9]+', '-', draft.resolve().parent.name.lower()).strip('-') or 'scoring'}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python={sys.version_info.major}.{sys.version_info.minor}",
    ]
    text = "\n".join(lines) + "\n" + (f"  - pip:\n{pip}" if pip else "")
    (draft / "myenv.yml").write_text(text, encoding="utf-8")
