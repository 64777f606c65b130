"""Every script of tests/scripts, good and broken: one table, tests/script_cases.py."""

import re
from pathlib import Path

import pytest
from script_cases import BROKEN, CASES, Case, answer, value

from scoring.errors import ModelError, ScoringError, ScriptError
from scoring.predictions import SUSPECT
from scoring.scripts.loading import load

pytestmark = pytest.mark.usefixtures("process")


@pytest.mark.parametrize(("folder", "sentence"), BROKEN.items(), ids=BROKEN)
def test_a_script_that_cannot_serve_is_refused_in_a_sentence_of_its_own(
    scripts: Path, folder: str, sentence: str
) -> None:
    """When it is loaded or initialised; the sentence names the user's own line, or what to change."""
    with pytest.raises((ScriptError, ModelError)) as raised:
        load(scripts / folder).init()
    assert re.search(sentence, str(raised.value))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.folder}-{case.body[:30].decode(errors='replace')}")
def test_a_script_gives_what_it_should(scripts: Path, case: Case) -> None:
    """One body → the value that leaves, or the sentence on the errors output."""
    if case.fails:
        with pytest.raises(ScoringError) as raised:
            answer(scripts / case.folder, case)
        assert str(raised.value).startswith(case.fails)
        return
    (left,) = answer(scripts / case.folder, case)
    assert value(left, case.gives) == case.gives
    assert (SUSPECT in left.properties) is case.suspect


def test_every_folder_is_in_the_table(scripts: Path) -> None:
    """At least sixty, and none that nobody looks at."""
    folders = {folder.name for folder in scripts.iterdir() if folder.is_dir()}
    assert len(folders) >= 60
    assert folders == BROKEN.keys() | {case.folder for case in CASES}
