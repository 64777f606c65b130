"""The stand-ins: there for the user's script alone, and only where the real thing is missing."""

import importlib.util
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit_parts import scored
from werkzeug.exceptions import BadRequest

from scoring.bodies.codecs import Body
from scoring.bodies.plain_values import encode
from scoring.compat import collectors, parameter_types
from scoring.compat.aml_request import AMLRequest
from scoring.compat.aml_response import AMLResponse
from scoring.compat.collectors import Collector, ModelDataCollector
from scoring.compat.model_location import find_model, set_model_dir
from scoring.compat.retired import RetiredError, retired
from scoring.errors import ModelError, RunError, ScriptError
from scoring.scripts.loading import load
from scoring.scripts.responses import response_of
from scoring.scripts.results import ResultOptions, encoded

pytestmark = pytest.mark.usefixtures("process")


def write(folder: Path, source: str, name: str = "score.py") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(source)
    return folder


def test_others_do_not_find_them(scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that looks for azureml must not take ours for it."""
    write(
        tmp_path / "site",
        "try:\n    import azureml.core\n    FOUND = True\nexcept ImportError:\n    FOUND = False\n",
        "a_library.py",
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    write(tmp_path / "user", "import a_library\ndef init(): pass\ndef run(d): return a_library.FOUND\n")
    load(tmp_path / "user")
    assert sys.modules.pop("a_library").FOUND is False
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml.core")


def test_the_real_one_wins(tmp_path: Path) -> None:
    """Here a folder of the user's own that is called azureml."""
    write(tmp_path / "azureml", "", "__init__.py")
    write(tmp_path / "azureml", "class Model:\n    own = True\n", "core.py")
    write(tmp_path, "from azureml.core import Model\ndef init(): pass\ndef run(d): return Model.own\n")
    script = load(tmp_path)
    assert scored(script, ["x"]) == [True]
    assert script.replaced == {}
    for name in ("azureml", "azureml.core"):
        sys.modules.pop(name)


RUN = "from azureml.core.run import Run\ndef init():\n    {}\ndef run(d): return d\n"


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        (
            "Run.get_context().get_secret(name='key')",
            r"Run\.get_secret asks .*: set an environment variable .* os\.environ",
        ),
        ("Run.get_context().get_secrets(['key'])", r"Run\.get_secrets asks .*os\.environ"),
        ("Run.get_context().experiment.workspace", r"Run\.experiment asks Azure Machine Learning's service"),
        ("Run.get_context().get_metrics()", r"Run\.get_metrics asks"),
        ("Run.get_context(allow_offline=False)", r"allow_offline=False\) needs an experiment"),
    ],
)
def test_what_a_run_would_have_to_know_is_an_error(tmp_path: Path, asks: str, said: str) -> None:
    """None in its place would be scored with."""
    script = load(write(tmp_path, RUN.format(asks)))
    with pytest.raises(ScriptError, match=said):
        script.init()


def test_a_run_is_told_things_and_says_that_it_is_offline(tmp_path: Path) -> None:
    tells = "r = Run.get_context(); r.log('a', 1); r.log_list('b', []); r.tag('c'); r.flush(); r.upload_file('a', 'b')"
    asserts = "assert r.id.startswith('OfflineRun') and not hasattr(r, 'experiment')"
    load(write(tmp_path, RUN.format(f"{tells}; {asserts}"))).init()


def test_what_is_replaced_is_said_once(scripts: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log and to `check`."""
    with caplog.at_level(logging.INFO, logger="scoring.compat.finder"):
        script = load(scripts / "model_path_by_name")
        script.init()
    assert list(script.replaced) == ["azureml.core", "azureml.core.model"]
    said = [record.getMessage() for record in caplog.records if "azureml.core.model" in record.getMessage()]
    assert said == [
        "the script uses azureml.core.model, which is not installed: "
        "a stand-in is used (Model.get_model_path() finds models on this device)"
    ]


def test_every_load_starts_without_the_stand_ins_of_the_last(scripts: Path) -> None:
    """Each script is told what it uses itself."""
    assert load(scripts / "rawhttp_contrib").kind == "rawhttp"
    second = load(scripts / "classic")
    assert (second.kind, second.replaced) == ("classic", {})
    assert "azureml.contrib.services.aml_request" in load(scripts / "rawhttp_contrib").replaced


def test_a_pickle_may_name_what_sklearn_once_had(tmp_path: Path) -> None:
    """Models of 2018 were dumped with sklearn.externals.joblib, and say so inside."""
    write(
        tmp_path,
        "import pickle\n"
        "def init():\n    global found\n"
        "    found = pickle.loads(b'csklearn.externals.joblib.numpy_pickle\\nNumpyArrayWrapper\\n.')\n"
        "def run(d): return found.__module__\n",
    )
    script = load(tmp_path)
    script.init()
    assert scored(script, ["x"]) == ["joblib.numpy_pickle"]


def test_what_needs_the_service_says_so_when_it_is_used() -> None:
    """Not before: most scripts import more than they use."""
    workspace: Any = retired("azureml.core", "Workspace")
    with pytest.raises(RetiredError, match=r"azureml\.core\.Workspace needs Azure Machine Learning's service"):
        workspace()
    with pytest.raises(RetiredError, match=r"azureml\.core\.Workspace\.from_config needs Azure Machine Learning's"):
        workspace.from_config()
    assert issubclass(retired("azureml.exceptions", "WebserviceException"), Exception)


def test_numpy_keeps_what_it_has(tmp_path: Path) -> None:
    """Only what is missing is put back, and only if the script's files name it."""
    was = np.prod
    write(
        tmp_path,
        "import numpy as np\nA = np.prod\nB = np.in1d\ndef init(): pass\ndef run(d): return bool(B([1], [1])[0])\n",
    )
    script = load(tmp_path)
    assert np.prod is was
    assert scored(script, ["x"]) == [True]


def test_model_dir_is_set_as_the_images_set_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One model: its folder; several, or several versions: the folder of all; what is set stays."""
    import os

    set_model_dir(tmp_path)
    assert "AZUREML_MODEL_DIR" not in os.environ
    (tmp_path / "azureml-models" / "rul" / "3").mkdir(parents=True)
    set_model_dir(tmp_path)
    assert os.environ["AZUREML_MODEL_DIR"] == str(tmp_path / "azureml-models" / "rul" / "3")
    (tmp_path / "azureml-models" / "rul" / "4").mkdir()
    set_model_dir(tmp_path)
    assert os.environ["AZUREML_MODEL_DIR"].endswith("/3")
    monkeypatch.delenv("AZUREML_MODEL_DIR")
    set_model_dir(tmp_path)
    assert os.environ["AZUREML_MODEL_DIR"] == str(tmp_path / "azureml-models")


def test_models_are_found_where_model_dir_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the app root too; a version that is not there is named."""
    (tmp_path / "m" / "rul" / "3").mkdir(parents=True)
    (tmp_path / "m" / "rul" / "3" / "model.onnx").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="there is no model rul"):
        find_model("rul")
    for given in ("m", "m/rul/3"):
        monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path / given))
        assert find_model("rul") == find_model("rul", "3") == str(tmp_path / "m" / "rul" / "3" / "model.onnx")
    with pytest.raises(ModelError, match="there is no version 7 of the model rul: looked at azureml-models/rul, "):
        find_model("rul:7")


def test_what_is_collected_is_kept_in_bounded_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON lines, rotated; without SCORING_CAPTURE_DIR nothing at all."""
    monkeypatch.delenv("SCORING_CAPTURE_DIR", raising=False)
    collector = Collector("inputs")
    context = collector.collect([1])
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("SCORING_CAPTURE_DIR", str(tmp_path / "capture"))
    monkeypatch.setattr(collectors, "MAX_BYTES", 2_000)
    ModelDataCollector("best/model", designation="inputs", feature_names=["a"]).collect(
        np.array([[1.5]]), correlation_id="7"
    )
    (line,) = map(json.loads, (tmp_path / "capture" / "best_model-inputs.jsonl").read_text().splitlines())
    assert (line["id"], line["names"], line["data"]) == ("7", ["a"], [[1.5]])
    for _ in range(200):
        assert collector.collect({"x": 1}, context) is context
    sizes = [file.stat().st_size for file in (tmp_path / "capture").glob("inputs.jsonl*")]
    assert len(sizes) == collectors.FILES
    assert all(size <= 2_000 for size in sizes)


def test_what_cannot_be_kept_harms_no_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script is told if it asked to be."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("SCORING_CAPTURE_DIR", str(tmp_path / "file"))
    errors: list[Exception] = []
    Collector("inputs", on_error=errors.append).collect([1])
    Collector("inputs").collect([1])
    assert isinstance(errors[0], OSError)


def test_a_request_looks_like_flasks(tmp_path: Path) -> None:
    """As far as scripts read it."""
    request = AMLRequest(b'{"a": 1}', "application/json; charset=utf-8", {"Threshold": "0.5"})
    assert (request.method, request.mimetype, request.is_json) == ("POST", "application/json", True)
    assert request.get_data(as_text=True) == '{"a": 1}'
    assert request.headers["content-TYPE"].startswith("application/json")
    assert request.headers.get("threshold") == request.args.get("Threshold") == request.values["Threshold"] == "0.5"
    assert dict(request.headers)["Threshold"] == "0.5"
    assert request.json == request.get_json(force=True) == {"a": 1}
    assert AMLRequest(b"x").stream.read() == b"x"
    assert AMLRequest(b"x").get_json(silent=True) is None
    for kind in (ValueError, BadRequest):
        with pytest.raises(kind, match="Expecting value"):
            _ = AMLRequest(b"x").json
    assert dict(AMLRequest(b"a=1&b=", "application/x-www-form-urlencoded").form) == {"a": "1", "b": ""}
    assert not AMLRequest(b"x").files


@pytest.mark.parametrize(("folder", "loads"), [("classic", False), ("batched", False), ("rawhttp_json", True)])
def test_only_a_rawhttp_script_loads_werkzeug(scripts: Path, folder: str, loads: bool) -> None:
    """It takes 10 MB of memory, and a tenth of a second of every start."""
    code = "import sys; from pathlib import Path; from scoring.scripts import loading\n"
    code += "loading.load(Path(sys.argv[1])).init(); sys.exit('werkzeug' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code, scripts / folder], check=False)
    assert ended.returncode == loads


def test_a_field_may_come_several_times() -> None:
    """``getlist`` gives all of it, as Flask's request does; what is missing is a KeyError with its name."""
    request = AMLRequest(b"a=1&a=2&b=", "application/x-www-form-urlencoded", {"Threshold": "0.5"})
    assert (request.form["a"], request.form.getlist("a"), request.values.getlist("a")) == ("1", ["1", "2"], ["1", "2"])
    assert request.args.getlist("Threshold") == request.headers.getlist("threshold") == ["0.5"]
    assert request.args.get("Threshold", type=float) == 0.5
    part = b'--B\r\nContent-Disposition: form-data; name="f"; filename="%d.bin"\r\n\r\n%d\r\n'
    files = AMLRequest(part % (1, 1) + part % (2, 2) + b"--B--\r\n", "multipart/form-data; boundary=B").files
    assert [(file.filename, file.read()) for file in files.getlist("f")] == [("1.bin", b"1"), ("2.bin", b"2")]
    for where in (request.args, request.form, request.files, request.headers):
        for kind in (KeyError, BadRequest):
            with pytest.raises(kind, match=r"^'image'$"):
                where["image"]


def test_a_large_form_stays_in_memory() -> None:
    """It is there already: no temporary file, and no bound besides the body's own."""
    text = b"x" * 2_000_000
    head = b'--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    body = head % (b"t", b"") + text + b"\r\n" + head % (b"f", b'; filename="f"') + text + b"\r\n--B--\r\n"
    request = AMLRequest(body, "multipart/form-data; boundary=B")
    assert (len(request.form["t"]), len(request.files["f"].read())) == (2_000_000, 2_000_000)
    assert isinstance(request.files["f"].stream, io.BytesIO)


def test_a_response_takes_what_flasks_takes() -> None:
    """Chunks, wherever they are from; a dict as JSON, its headers in whatever capitals."""
    response = AMLResponse((chunk for chunk in ("a", b"b")), 200, {"x-a": "1"})
    assert (response.data, response.get_data(as_text=True), response.headers["X-A"]) == (b"ab", "ab", "1")
    response.set_data("text")
    response.mimetype = "image/png"
    assert (response.data, response.content_type, response.headers.getlist("content-type")) == (
        b"text",
        "image/png",
        ["image/png"],
    )
    given = (io.BytesIO(b"c\nd"), ["e", b"f"], {"a": 1}, b"x", None)
    assert [AMLResponse(each).data for each in given] == [b"c\nd", b"ef", b'{"a": 1}', b"x", b"{}"]
    assert [AMLResponse("x", status).status_code for status in ("201 Created", "404", None, 202.0)] == [
        201,
        404,
        200,
        202,
    ]


def test_a_response_is_made_of_its_chunks_at_once() -> None:
    """What a generator raises is run()'s, on the script's own line; it is not asked again when it leaves."""

    def chunks() -> Iterator[str]:
        yield "a"
        raise TimeoutError("no more")

    with pytest.raises(TimeoutError):
        AMLResponse(chunks())
    response = AMLResponse("")
    response.response = (chunk for chunk in "ab")
    assert encoded(response, ResultOptions())[0].body == b"ab"
    assert list(AMLResponse("a").iter_encoded()) == [b"a"]


def test_a_file_of_a_form_can_be_saved(tmp_path: Path) -> None:
    """Byte for byte; it is a file, which is read from where one is."""
    body = b'--B\r\nContent-Disposition: form-data; name="f"; filename="a b.bin"\r\n\r\n\r\n\x00\xff\r\n--B--\r\n'
    file = AMLRequest(body, 'multipart/form-data; boundary="B"').files["f"]
    file.save(tmp_path / "saved")
    file.seek(0)
    assert (file.filename, (tmp_path / "saved").read_bytes(), file.stream.read()) == (
        "a b.bin",
        b"\r\n\x00\xff",
        b"\r\n\x00\xff",
    )


def test_properties_are_the_headers_of_a_request(scripts: Path) -> None:
    """And its query arguments."""
    script = load(scripts / "rawhttp_json")
    (answer,) = scored(script, [script.decode(Body(b'{"a": 1}', "application/json", "", {"room": "7"}))])
    assert answer == {"method": "POST", "same": True, "type": "application/json", "args": {"room": "7"}}


def test_a_sample_comes_from_the_schema(scripts: Path) -> None:
    """By parameter, ready to be sent."""
    for folder, sample in {
        "schema_standard": {"name": "a name", "factor": 1.5},
        "schema_numpy": {"data": [[10.0, 9.0, 8.0]]},
        "schema_pandas": {"data": [{"speed": 1.5, "name": "a", "count": 1.0}]},
        "schema_dates": {"when": "2018-12-01T10:00:00", "data": "YWJj"},
        "schema_nested": {"param": {"rows": [[1, 2]], "tag": "x"}},
        "schema_own_type": {"temperature": "32F"},
        "classic": None,
    }.items():
        script = load(scripts / folder)
        assert script.sample == sample
        if sample is not None:
            (outcome,) = scored(script, [script.decode(Body(json.dumps(sample).encode()))])
            assert not isinstance(outcome, RunError)


def test_what_a_request_holds_leaves_as_it_reads() -> None:
    """Werkzeug's dicts keep lists in their storage, or nothing: JSON has the first text of each name, as in Flask."""
    request = AMLRequest(b"x=3&x=4&y=2", "application/x-www-form-urlencoded", {"p": "1"})
    assert json.loads(encode(request.args)) == {"p": "1"}
    assert json.loads(encode({"form": request.form})) == {"form": {"x": "3", "y": "2"}}
    assert json.loads(encode([request.values])) == [{"p": "1", "x": "3", "y": "2"}]
    assert encode(request.values, reject_nan=True) == encode(request.values)


def test_any_property_may_come_with_a_request_and_none_hides_what_the_body_is() -> None:
    """No header holds a line's end, and the first of two equal names wins."""
    properties = {"note": "one\r\ntwo", "content-type": "x/y", "content-length": "7"}
    request = AMLRequest(b"{}", "application/json", properties)
    assert (request.headers["note"], request.args["note"]) == ("one  two", "one\r\ntwo")
    assert request.headers.getlist("Content-Type") == ["application/json"]
    assert request.headers.getlist("Content-Length") == ["2"]


def test_a_form_has_as_many_parts_as_its_body_holds() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n'
    body = b"".join(part % number for number in range(1200)) + b"--b--\r\n"
    assert len(AMLRequest(body, "multipart/form-data; boundary=b").form) == 1200


@pytest.mark.parametrize(
    ("body", "named", "left"),
    [
        ("b", "", "text/plain"),
        ("<b>", "", "text/html"),
        ("<b>", "text/html", "text/html"),
        ("b", "text/csv", "text/csv"),
    ],
)
def test_the_type_that_a_response_is_given_is_the_one_it_leaves_with(body: str, named: str, left: str) -> None:
    """Unnamed it reads as Flask's, and leaves as what the body is."""
    response = AMLResponse(body, 200)
    assert (response.mimetype, response.content_type) == ("text/html", "text/html; charset=utf-8")
    if named:
        response.mimetype = named
    found = response_of(response)
    assert found is not None
    assert found.content_type == f"{left}; charset=utf-8"


@pytest.mark.parametrize(("more", "loads"), [("", "1"), (", weights_only=True", "no")])
def test_a_whole_torch_model_loads_as_it_did_before_pytorch_2_6(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, loads: str
) -> None:
    """PyTorch reads this variable where a call does not say weights_only; a script that says it is left alone."""
    name = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    monkeypatch.setenv(name, "")
    monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    write(tmp_path, f"import os\ndef load(*paths, **how):\n    return os.environ.get({name!r}, 'no')\n", "torch.py")
    source = f"import torch\ndef init(): pass\ndef run(data):\n    return torch.load('model.pt'{more})\n"
    script = load(write(tmp_path, source))
    script.init()
    del sys.modules["torch"]  # by hand: monkeypatch would put this one back when it ends
    assert scored(script, ["x"]) == [json.loads(loads) if loads == "1" else loads]
    assert ("torch.load(<whole model>)" in script.replaced) is (loads == "1")


def test_dates_are_read_as_inference_schema_reads_them_or_as_iso_8601(monkeypatch: pytest.MonkeyPatch) -> None:
    """With dateutil, which pandas brings; a device without it gets the form that needs no library."""
    day = datetime(2021, 5, 3, 16, 0)  # noqa: DTZ001 - as it stands in the text
    for installed, texts in ((True, ("3 May 2021 4pm", "4pm")), (False, ("2021-05-03T16:00", "16:00"))):
        if not installed:
            monkeypatch.setitem(sys.modules, "dateutil.parser", None)
        copied = importlib.util.spec_from_file_location("a_copy", parameter_types.__file__)
        assert copied is not None
        assert copied.loader is not None
        copied.loader.exec_module(types := importlib.util.module_from_spec(copied))
        assert types.StandardPythonParameterType(day).deserialize_input(texts[0]) == day
        assert types.StandardPythonParameterType(day.time()).deserialize_input(texts[1]) == day.time()
    with pytest.raises(ValueError, match="Invalid isoformat string: '3 May"):
        types.StandardPythonParameterType(day).deserialize_input("3 May 2021 4pm")
