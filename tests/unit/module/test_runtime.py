"""What the module says of a script in its status."""

from pathlib import Path

import pytest

from module.runtime import _merged
from scoring.scripts.loading import load

pytestmark = pytest.mark.usefixtures("process")


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("batched", "batches of 8"),
        ("rawhttp_json", "no: a request object is of one message"),
        ("classic_headers", "no: run() has request_headers, which is of one message"),
        ("classic", "no: not tried yet"),
    ],
)
def test_only_a_script_that_takes_lists_has_batches(scripts: Path, folder: str, sentence: str) -> None:
    """That many messages are handed over at once does not make a call of them."""
    assert _merged(load(scripts / folder)) == sentence
