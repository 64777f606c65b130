"""What the module says of a script in its status, and where it is scored."""

from pathlib import Path
from unittest.mock import Mock

import pytest
from onnx import TensorProto, helper

from module import runtime
from module.runtime import _merged, start_scoring
from module.settings import Settings
from scoring.scripts.loading import load

pytestmark = pytest.mark.usefixtures("process")


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("batched", "batches of 8"),
        ("rawhttp_json", "no: a request object is of one message"),
        ("classic_headers", "no: run() has request_headers: each message gets a call of its own"),
        ("classic", "no: not tried yet"),
    ],
)
def test_only_a_script_that_takes_lists_has_batches(scripts: Path, folder: str, sentence: str) -> None:
    """That many messages are handed over at once does not make a call of them."""
    assert _merged(load(scripts / folder)) == sentence


@pytest.mark.parametrize(
    ("fields", "is_on_the_loop"), [("{}", True), ('{"inputs": {"x": {"decode": "image"}}}', False)]
)
async def test_pictures_are_never_decoded_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: str, *, is_on_the_loop: bool
) -> None:
    """Other bare models are scored there where a call takes no time: here every call counts as such."""
    pytest.importorskip("PIL", reason="needs the extra [images]")
    tensors = [helper.make_tensor_value_info(name, TensorProto.UINT8, ["N", 3, 2, 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "scoring.json").write_text(fields)
    monkeypatch.setattr(runtime, "_INSTANT", 1e9)
    batcher = await start_scoring(Settings(dir=tmp_path, journal_dir=tmp_path), Mock())
    assert batcher.in_place is is_on_the_loop
