"""What every folder of tests/scripts has to do: scripts that cannot serve, and what leaves for a body."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scoring.bodies.codecs import Body, rows_of
from scoring.errors import ScoringError
from scoring.predictions import Context, Leaving, Request
from scoring.scripts.loading import load
from scoring.scripts.results import ResultOptions, joined

JSON = "application/json"


@dataclass(frozen=True)
class Case:
    """One body for one script.

    Attributes:
        folder: of tests/scripts.
        body: as it is sent.
        gives: the JSON value that leaves; bytes: the body as it is.
        fails: how the sentence begins with which the body goes to the errors output.
        suspect: whether the answer is marked as a caught exception.
        content_type, properties: of the message.
    """

    folder: str
    body: bytes
    gives: Any = None
    fails: str = ""
    suspect: bool = False
    content_type: str = JSON
    properties: dict[str, str] = field(default_factory=dict)


def case(folder: str, value: object, gives: object = None, **more: Any) -> Case:
    """Give a case whose body is a JSON value."""
    return Case(folder, value if isinstance(value, bytes) else json.dumps(value).encode(), gives, **more)


def answer(directory: Path, case: Case, options: ResultOptions | None = None) -> list[Leaving]:
    """Give what leaves for a body; raises what goes to the errors output."""
    script = load(directory, "score.py", options)
    script.init()
    request = script.decode(Body(case.body, case.content_type, "", case.properties))
    rows = rows_of(request) if script.rows else None
    is_rows = rows is not None
    left: list[tuple[Leaving, ...]] = []
    context = Context(properties=case.properties, content_type=case.content_type) if script.wants_context else None
    for outcome in script.score([Request(each, context, is_rows) for each in ([request] if rows is None else rows)]):
        if isinstance(outcome, ScoringError):
            raise outcome
        left.append(outcome)
    return list(joined(left, options or ResultOptions()) if is_rows else left[0])


def value(left: Leaving, like: object) -> Any:
    """Give the value of a body, or its bytes."""
    return left.body if isinstance(like, bytes) else json.loads(left.body)


BROKEN = {
    "no_run": r"score\.py has no function run\(\): add def run",
    "no_init": r"score\.py has no function init\(\): add def init",
    "empty": r"score\.py has no function run\(\)",
    "run_is_no_function": r"score\.py has no function run\(\)",
    "no_parameter": r"score\.py line 5: run\(\) takes no parameter",
    "only_headers": r"score\.py line 5: run\(\) takes no parameter",
    "star_args": r"score\.py line 5: run\(\) must name its parameters",
    "positional_only": r"score\.py line 5: run\(\) must take its parameters by name: remove the /",
    "extra_parameter": r"score\.py line 5: run\(\) has the parameter model_name, which no message fills",
    "schema_and_rawhttp": r"score\.py line 10: run\(\) has both @rawhttp and @input_schema: remove one",
    "rawhttp_and_batched": r"score\.py line 9: run\(\) has both @batched and @rawhttp: remove one",
    "does_not_import": r"does not import: score\.py line 4: KeyError: 'highest'",
    "missing_package": r"does not import: score\.py line 1: ModuleNotFoundError: No module named 'a_package_that",
    "syntax_error": r"does not import: score\.py line 5: SyntaxError: expected ':'",
    "exits": r"does not import: score\.py line 3: SystemExit: no licence",
    "batch_of_none": r"does not import: score\.py line 8: ValueError: @batched has max_size=0",
    "reads_a_missing_setting": r"does not import: score\.py line 3: KeyError: 'SCORE_THRESHOLD_OF_THIS_TEST'",
    "imports_broken_neighbour": r"does not import: broken_neighbour_of_this_test\.py line 1: ValueError: ",
    "imports_spark": r"does not import: score\.py line 1: ImportError: Spark does not run on an edge device",
    "schema_spark": r"does not import: score\.py line 1: ImportError: SparkParameterType needs Spark",
    "schema_wrong_sample": r"does not import: score\.py line 9: TypeError: NumpyParameterType needs a numpy array",
    "shadows_scoring": r"rename .*shadows_scoring/scoring/__init__\.py: the runtime's own package is called scoring",
    "shadows_module": r"rename .*shadows_module/module\.py: the runtime's own package is called module",
    "init_raises": r"init\(\) of the scoring script failed: score\.py line 6: FileNotFoundError: no weights",
    "init_exits": r"init\(\) of the scoring script failed: score\.py line 5: SystemExit: no licence file",
    "init_takes_arguments": r"init\(\) of the scoring script failed: TypeError: init\(\) missing 1 required",
    "init_wants_a_model": r"there is no model at absent\.onnx",
    "model_path_missing": r"there is no model absent: looked at azureml-models/absent and \./absent",
    "model_dir_not_set": r"score\.py line 6: TypeError: .*NoneType \(AZUREML_MODEL_DIR is not set: set it to",
    "workbench_unread": r"score\.py line 5: run\(input_df\) wants more .* \(input_df\.shape\): say with @inp",
    "workbench_predicts": r"score\.py line 6: run\(input_df\) wants more .* \(SampleDefinition\(DataTypes\.PANDAS",
    "workbench_other_parameter": r"service_schema\.json describes the parameter input_df, which run\(\) has not",
    "workbench_spark": r"service_schema\.json cannot be read: it describes a data frame of Spark, which does",
    "workbench_harmful": r"service_schema\.json cannot be read: it needs .*\.mkdir, which a device has not: delete it",
    "parallel_user": r"score\.py line 8: run\(rows\) is of a ParallelRunStep .* \(it imports azureml_user\): wri",
    "parallel_paths": r"score\.py line 10: run\(mini_batch\) is of a ParallelRunStep .* \(open\(image, 'rb'\)\): write",
    "parallel_helper": r"score\.py line 12: run\(mini_batch\) is of a ParallelRunStep .* \(Path\(path\)\): write",
    "parallel_context": r"run\(input_data, mini_batch_context\) is of a ParallelRun.* \(it has mini_batch_context\)",
    "parallel_async": r"line 5: run\(mini_batch\) is of a ParallelRunStep .* \(open\(each\)\): write `from",
    "parallel_decorated": r"line 16: run\(batch_input\) is of a Parallel.* \(os\.path\.basename\(path\)\): write",
    "parallel_timed": r"line 22: run\(mini_batch\) is of a ParallelRunStep .* \(shutil\.copy\(file, '\.'\)\): write",
    "parallel_frame": r"run\(mini_batch\) is of a ParallelRunStep .* \(mini_batch\['total'\]\): write `from scoring",
    "parallel_any_name": r"run\(input_files\) is of a ParallelRunStep .* \(open\(name\)\): write `from scoring",
    "parallel_typed": r"run\(mini_batch\) is of a ParallelRunStep .* \(mini_batch: list\[str\]\): write `from scoring",
    "workspace_is_used": r"score\.py line 6: RetiredError: azureml\.core\.Workspace\.from_config needs Azure Machine",
}
"""Folder → the sentence with which load() or init() refuses it."""

_ROWS = [{"speed": 1.5, "name": "x", "count": 2}, {"speed": None, "name": None, "count": None}]
_FORM = (
    b'--X\r\nContent-Disposition: form-data; name="label"\r\n\r\ncat\r\n'
    b'--X\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x00\xff\x01\r\n--X--\r\n'
)
_PART = b'--X\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
_FORMS = b"".join(
    _PART % part
    for part in (
        (b"label", b"", b"a"),
        (b"label", b"", b"b"),
        (b"empty", b"", b""),
        (b"image", b'; filename="1.png"\r\nContent-Type: image/png', b"\x01"),
        (b"image", b'; filename="2.bin"', b"\x02\xff"),
        (b"other", b'; filename="3.txt"', b""),
    )
)
_FORMS += b"--X--\r\n"
_SENT = {"X-Site": "7", "X-Limit": "12", "User-Agent": "probe/1"}
_FIELDS: dict[str, Any] = {
    "files": [
        ["image", "1.png", "image/png", "01"],
        ["image", "2.bin", "", "02ff"],
        ["other", "3.txt", "", ""],
    ],
    "file names": ["1.png", "2.bin"],
    "form": [["label", "a"], ["label", "b"], ["empty", ""]],
    "label": ["a", "a", "b"],
    "flat": {"label": "a", "empty": ""},
    "lists": {"label": ["a", "b"], "empty": [""]},
    "args": sorted(map(list, _SENT.items())),
    "number": 12,
    "headers": sorted(map(list, _SENT.items())),
    "again": sorted(map(list, _SENT.items())),
    "names": True,
    "absent": [400, False, False, None],
    "data": "",
    "types": [True, True],
}
_FIELDS["values"] = sorted([*_FIELDS["args"], *_FIELDS["form"]])
_NO_FIELDS = {
    **{
        **{name: [] for name in _FIELDS},
        "flat": {},
        "lists": {},
        "label": [None],
        "number": 5,
        "names": False,
        "data": "x",
    },
    **{"absent": _FIELDS["absent"], "types": [True, True]},
}
_ASKED = "Cookie=a%3D1%3B+b%3D2&User-Agent=probe%2F1&Accept=text%2Fcsv"
_ABOUT: dict[str, Any] = {
    "method": "POST",
    "path": ["/score", "/score?", "", ""],
    "url": ["http", True, True],
    "host": [True, True, True],
    "address": "127.0.0.1",
    "cookies": {},
    "agent": ["", ""],
    "json": [True, {"a": 1}],
    "type": [JSON, "application/json; charset=utf-8", {"charset": "utf-8"}],
    "length": [8, 8, 8],
    "charset": "utf-8",
    "accepts": [None, None, None, False],
    "again": True,
}
_OCTETS = "application/octet-stream"
_HOT = [
    {"when": "2018-03-02T10:00:00", "pressure": 2, "more": "x", "count": 7, "temperature": 31.5},
    {"temperature": 12, "pressure": 2.5, "count": None, "when": "2018-03-04 10:00:00,000000"},
]
_PEOPLE = [{"name": "Ada", "grades": [1, 2.5], "born": "1990-02-03", "at": {"x": 1, "y": 7}}]
_FIT = "the body does not fit the script's input schema: "

CASES = [
    case("model_dir_one", {"data": [[1, 1], [2, 0]]}, [3, 2]),
    case("model_dir_several", 100, 141),
    case("model_path_by_name", 5, {"result": 50}),
    case("model_path_by_name_and_version", 5, {"result": 10}),
    case("model_path_by_keywords", 5, {"result": 10}),
    case("model_path_local", 5, {"result": 15}),
    case("model_path_folder", 0, ["a.txt", "b.txt"]),
    case("beside_its_file", 4, 20),
    case("relative_file", 4, 24),
    case("imports_its_own_file", 7, 21),
    case("workspace_is_imported", {"value": 1}, {"value": 1}),
    case("run_context", [1, 2], 6),
    case("collects_data", {"data": [[1, 2], [3, 4]]}, [3, 7]),
    case("collects_with_mlmonitoring", {"data": [[1, 2], [3, 4]]}, [3, 7]),
    case("models_in_a_folder", {"model": "half", "data": [[1, 2]]}, {"0": {"0": 0.5}, "1": {"0": 1.0}}),
    case(
        "models_in_a_folder", {"model": "none", "data": []}, fails="run() failed: score.py line 19: KeyError: 'No such"
    ),
    case("collects_data_early", {"data": [[1, 2], [3, 4]]}, [3, 7]),
    case("collects_with_collector", {"data": [[1, 2], [3, 4]]}, [3, 7]),
    case("sklearn_externals_joblib", {"data": [1, 2]}, [2.0, 4.0]),
    case("pandas_reads_json_text", [{"value": 1}, {"value": 2}], [1, 3]),
    case("numpy_old_names", [2, 3], {"sum": 6.0, "kind": "int64", "nan": None}),
    case(
        "automl",
        {"Inputs": {"data": [{"age": 40, "job": "a"}, {"age": 20, "job": "b"}]}},
        {"Results": ["yes", "no"], "method": "predict"},
    ),
    case(
        "automl",
        {"Inputs": {"data": [{"age": 40, "job": "a"}]}, "GlobalParameters": {"method": "predict_proba"}},
        {"Results": ["yes"], "method": "predict_proba"},
    ),
    case("automl", {"Inputs": {"data": 5}}, fails=_FIT),
    case("imports_late", 0, b"azureml-models/rul/1/rul.txt"),
    case("imports_everything", {"data": [1, 2]}, {"size": 2, "names": []}),
    case("imports_if_it_can", [1], 3),
    # How run() is called
    case("classic", {"value": 21}, {"doubled": 42}),
    case("classic", b"no JSON", fails="run() failed: score.py line 12: JSONDecodeError: Expecting value"),
    case("classic", b"\xff", fails="the body is not UTF-8: invalid start byte at byte 0"),
    case("classic", {"other": 1}, fails="run() failed: score.py line 12: KeyError: 'value'"),
    case("classic_headers", b"abc", "ABC"),
    case("other_parameter_name", {"value": 1}, {"type": "str", "value": 1}),
    case("keyword_only", [1], 3),
    case("second_parameter_has_a_default", 12, 1212),
    case("mini_batch_renamed", "a.csv", ".csv"),
    case("decorated_by_hand", {"a": [1, 2], "b": 3}, [3, 3]),
    case("reads_headers", [1], {"type": JSON, "is_dict": True, "size": 3}),
    case("batched", 2, 4),
    case("batched", [[1], [2]], [[1, 1], [2, 2]]),
    case("mini_batch", {"a": 1}, 1),
    case("answers", {"refuse": "no"}, fails="no"),
    case("fails_while_running", {"raise": "exit"}, fails="run() failed: score.py line 13: SystemExit: because it was"),
    case("batch_of_wrong_length", 1, fails="run() gave 2 predictions for 1 requests: expected one per request"),
    case("schema_standard", {"name": "x", "factor": 2.5}, {"text": "x", "factor": 2.5, "type": "float"}),
    case("schema_standard", {"name": "x", "factor": 2}, {"text": "x", "factor": 2, "type": "int"}),
    case("schema_standard", {"name": "x", "factor": 2, "z": 1}, {"text": "x", "factor": 2, "type": "int"}),
    case("schema_standard", {"name": "x"}, fails="the field factor is missing (there: name)"),
    case("schema_standard", {"name": "x", "factor": "2"}, fails=_FIT),
    case("schema_standard", {"name": None, "factor": 2.0}, fails=_FIT),
    case("schema_standard", [1], fails="the body must be a JSON object with run()'s parameters as fields"),
    case("schema_standard", b"", fails="the body is empty"),
    case("schema_standard", b"{", fails="the body is not JSON"),
    case("schema_numpy", {"data": [[1, 2, 3]]}, {"sum": [6.0], "nan": 0, "type": "float64"}),
    case("schema_numpy", {"data": [[1, None, 3], [1, 1, 1]]}, {"sum": [4.0, 3.0], "nan": 1, "type": "float64"}),
    case("schema_numpy", b'{"data": [[1, NaN, 3]]}', {"sum": [4.0], "nan": 1, "type": "float64"}),
    case("schema_numpy", {"data": [[1, 2]]}, fails=_FIT),
    case("schema_numpy", {"data": "x"}, fails=_FIT),
    case("schema_pandas", {"data": _ROWS}, {"columns": ["speed", "name", "count"], "speed": [1.5, None], "missing": 3}),
    case("schema_pandas", {"data": [{"speed": 1}]}, fails=_FIT),
    case("schema_pandas_split", {"data": {"columns": ["a", "b"], "index": [0, 1], "data": [[1, 2], [3, 4]]}}, [3, 7]),
    case("schema_defaults", {"data": [1, 2]}, {"data": [10, 20], "label": None, "headers": True}),
    case("schema_defaults", {"data": [1], "factor": 3, "label": "y"}, {"data": [3], "label": "y", "headers": True}),
    case("schema_dates", {"when": "3 Feb 2019 4pm", "data": "YWJj"}, {"year": 2019, "data": "abc"}),
    case("schema_dates", {"when": "2019-02-03T04:05:06Z", "data": "YWJj"}, {"year": 2019, "data": "abc"}),
    case(
        "schema_nested",
        {"param": {"rows": [[1, 2], [3, 4]], "tag": "t"}},
        {"sum": [3, 7], "tag": "t", "more": ["rows", "tag"]},
    ),
    case("schema_nested", {"param": {"rows": [[1, 2]], "x": 1}}, {"sum": [3], "tag": None, "more": ["rows", "x"]}),
    case("schema_nested", {"param": [1]}, fails=_FIT),
    case("schema_by_hand", {"data": [[1, 2], [3, 4]]}, [3.0, 7.0]),
    case("schema_own_type", {"temperature": "50F"}, 10.0),
    case("schema_run_fails", {"data": [1]}, fails="run() failed: score.py line 11: ValueError: no such engine"),
    case("rawhttp_contrib", b"\x00\xff", b"\x00\xff", content_type=_OCTETS),
    case("rawhttp_server", b"\x00\xff", b"\x00\xff", content_type=_OCTETS),
    case("rawhttp_json", {"a": 1}, {"method": "POST", "same": True, "type": JSON, "args": {}}),
    case("rawhttp_flask", [1], {"told": True, "value": [1]}, properties={"Room": "7"}),
    case("rawhttp_json", {"status": 200}, {"message": "as asked"}),
    case("rawhttp_json", {"status": 404}, fails='the script answered with status 404: {"message": "as asked"}'),
    case("rawhttp_json", {"status": 503}, fails='the script answered with status 503: {"message": "as asked"}'),
    case("rawhttp_image", b"\x01\xff", b"\xff\x01", content_type="image/png"),
    case(
        "rawhttp_files",
        _FORM,
        {"name": "a.png", "size": 3, "label": "cat"},
        content_type="multipart/form-data; boundary=X",
    ),
    case("rawhttp_fields", _FORMS, _FIELDS, content_type="multipart/form-data; boundary=X", properties=_SENT),
    case(
        "rawhttp_fields",
        b"label=a&label=b&empty=",
        {
            **_FIELDS,
            **{"files": [], "file names": [], "form": [["label", "a"], ["label", "b"], ["empty", ""]]},
            **{
                "label": ["a", "a", "b"],
                "flat": {"label": "a", "empty": ""},
                "lists": {"label": ["a", "b"], "empty": [""]},
            },
            "values": sorted([*_FIELDS["args"], ["label", "a"], ["label", "b"], ["empty", ""]]),
        },
        content_type="application/x-www-form-urlencoded",
        properties=_SENT,
    ),
    case("rawhttp_fields", b"x", _NO_FIELDS, content_type="text/plain"),
    case("rawhttp_about", {"a": 1}, {**_ABOUT, "type": [JSON, JSON, {}]}),
    case("rawhttp_about", b'{"a": 1}', _ABOUT, content_type="application/json; charset=utf-8"),
    case(
        "rawhttp_about",
        b"t\xc3\xa4xt",
        {
            **_ABOUT,
            **{"json": [False, None], "type": ["text/plain", "text/plain", {}], "length": [5, 5, 4]},
            **{
                "cookies": {"a": "1", "b": "2"},
                "agent": ["probe/1", "probe/1"],
                "accepts": ["text/csv", None, None, False],
            },
            "path": ["/score", f"/score?{_ASKED}", "", _ASKED],
        },
        content_type="text/plain",
        properties={"Cookie": "a=1; b=2", "User-Agent": "probe/1", "Accept": "text/csv"},
    ),
    *(
        case("rawhttp_answers", {"give": give}, gives)
        for give, gives in {
            "generator": "one two drei ä".encode(),
            "list": b"ab",
            "file": b"line\nline \xff",
            "lines": b'{"n": 0}\n{"n": 1}\n{"n": 2}\n',
            "bytes": b"\x00\xff",
            "text": b"plain",
            "json": {"a": [1]},
            "none": {},
            "empty": b"",
            "replaced": b"second",
        }.items()
    ),
    *(
        case("rawhttp_answers", {"give": give}, fails=fails)
        for give, fails in {
            "failing": "run() failed: score.py line 20: ValueError: the third part is missing",
            "refused": "the script answered with status 404: no such thing",
            "broken": "the script answered with status 503: out of order",
        }.items()
    ),
    # Workbench's generation, with its service_schema.json
    case(
        "workbench_frame",
        {"input_df": _HOT},
        {
            "hot": [True, False],
            "kinds": ["float", "float", "float", "datet"],
            "columns": ["temperature", "pressure", "count", "when"],
            "days": [2, 4],
        },
    ),
    case("workbench_frame", {"input_df": [{"temperature": 1}]}, fails=f"{_FIT}a row has no pressure"),
    case(
        "workbench_frame", {"input_df": {"temperature": 1}}, fails=f"{_FIT}expected an array of objects, one for each"
    ),
    case("workbench_frame", {"df": []}, fails="the field input_df is missing (there: df)"),
    case("workbench_array", {"input_array": [[1, 2, 3]]}, {"sums": [321.0], "type": "float32", "people": []}),
    case("workbench_array", {"input_array": [[1, 2]]}, fails=f"{_FIT}expected the shape any×3, got 1×2"),
    case(
        "workbench_array",
        {"input_array": [[1, 0, 0], [2, 0, 0]], "people": _PEOPLE},
        {"sums": [1.0, 2.0], "type": "float32", "people": [["Ada", 3.5, "1990-02-03T00:00:00", 7]]},
    ),
    case("workbench_driver", {"input_array": [[1, 2, 3]], "people": _PEOPLE}, {"sum": 12.0, "people": 1}),
    case("workbench_plain", {"text": "a", "picture": "AAE=", "day": "2018-03-01T10:00:00"}, ["A", 2, 2018, 1, True]),
    case(
        "workbench_plain", {"text": 5, "picture": "", "day": "2018-03-01"}, fails=f"{_FIT}expected str, got a value of"
    ),
    case("mini_batch_of_ours", {"image": "AAEC", "table": "a,b\n1,2"}, {"size": 3, "large": True, "sum": 3}),
    case("looks_at_its_type", [1, 2], 3),
    case("async_run", 4, {"doubled": 8}),
    case("async_init", 4, 12),
    case("async_batched", [{"x": 1}, {"x": 2}], [2, 3]),
    case("uses_asyncio_itself", [1, 2], 3),
    case("driver", 3, 12),
    case("package_beside_it", 3, 30),
    case("imported_run", {"value": 3}, 3),
    case("state_across_calls", 0, {"seen": 1}),
    # What run() returns
    *(
        case("returns_plain", {"give": give}, gives)
        for give, gives in {
            "list": [1, 2.5, "x", None, True],
            "tuple": [1, 2],
            "nested": {"a": [{"b": [1]}]},
            "namedtuple": [1, 2],
            "number": 7,
            "float": 0.1,
            "large": 2**70,
            "bool": False,
            "none": {},
            "empty": [],
            "keys": {"1": "c", "2.5": "b", "null": "d"},
            "text": "a plain text",
            "json text": {"result": [1, 2]},
            "number text": 0.5,
        }.items()
    ),
    *(
        case("returns_rich", {"give": give}, gives)
        for give, gives in {
            "numpy number": 0.5,
            "numpy flag": True,
            "numpy array": [[0, 1, 2], [3, 4, 5]],
            "numpy slice": [0, 2, 4],
            "numpy texts": ["a", "b"],
            "numpy half": [0.5],
            "numpy dates": ["2018-12-01T00:00:00"],
            "numpy records": [{"a": 1, "b": 2.0}],
            "numpy inside": {"scores": [0.25, 3], "1": [1, 2]},
            "frame": [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
            "series": [1.5, 2.5],
            "stamp": "2018-12-01T10:00:00",
            "no stamp": None,
            "date": "2018-12-01",
            "time": "2018-12-01T10:00:00+00:00",
            "duration": 90.0,
            "uuid": "00000000-0000-0000-0000-000000000001",
            "decimal": [1.5, 3],
            "enum": "red",
            "bytes": "text",
            "raw bytes": "/wA=",
        }.items()
    ),
    case("returns_nan", {"give": "value"}, [None, None, 1.0]),
    case("returns_nan", {"give": "text"}, [None, 1.0]),
    case("returns_rich", {"give": "set"}, fails="the prediction cannot be sent as JSON: a value of type set has no"),
    case("returns_rich", {"give": "object"}, fails="the prediction cannot be sent as JSON: a value of type object has"),
    *(
        case(folder, {"data": ["x"]}, gives, suspect=True)
        for folder, gives in {
            "swallows_text": "unsupported operand type(s) for +: 'int' and 'str'",
            "swallows_json": {"error": "unsupported operand type(s) for +: 'int' and 'str'"},
            "swallows_dict": {
                "error": "unsupported operand type(s) for +: 'int' and 'str'",
                "result": None,
                "status": 500,
            },
            "swallows_message": ["scoring failed: unsupported operand type(s) for +: 'int' and 'str'"],
            "swallows_exception": "unsupported operand type(s) for +: 'int' and 'str'",
            "swallows_silently": {},
            "swallows_with_status": {
                "Result": "unsupported operand type(s) for +: 'int' and 'str'",
                "Status": "Failed",
            },
        }.items()
    ),
    case(
        "swallows_text",
        b"{",
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        suspect=True,
    ),
    case("swallows_text", {"data": [1, 2]}, [3]),
    case("swallows_json", {"data": [1, 2]}, {"result": 3}),
    case("swallows_dict", {"data": [1, 2]}, {"result": 3}),
    case("swallows_exception", {"data": [1, 2]}, [3]),
    case("swallows_silently", {"data": [1, 2]}, [3]),
    case("swallows_with_status", {"data": [1, 2]}, {"Result": 3, "Status": "Success"}),
    case("swallows_traceback", {"data": [1, 2]}, [3]),
    case("falls_back", {"data": ["x"]}, [0]),
    case("honest_error_field", {"seen": 1, "expected": 3}, {"error": 2, "status": "ok"}),
    case("honest_error_field", {}, fails="run() failed: score.py line 13: ValueError: incomplete"),
    case("honest_labels", {"value": 1}, "cat"),
    case("honest_labels", {"value": -1}, "invalid"),
    case("honest_labels", {"valu": -1}, "'value'", suspect=True),
]
"""What leaves for a body, or why it does not."""
