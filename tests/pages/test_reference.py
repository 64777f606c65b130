"""What the pages say of the code is what the code says."""

import pytest
import reference
from pages import ROOT, pages

MADE = [page for page in pages() if "<!-- made by scripts/reference:" in (ROOT / page).read_text()]


@pytest.mark.parametrize("page", MADE)
def test_what_is_made_from_the_code_is_as_the_code_is(page: str) -> None:
    """Settings, commands, exit codes, metrics, facts and messages; ``scripts/reference`` writes them anew."""
    text = (ROOT / page).read_text()
    assert text == reference.made(text), f"run scripts/reference, which writes {page} anew"


def test_every_part_stands_in_one_page() -> None:
    """A page that loses its comments would be compared with nothing."""
    every = "".join((ROOT / page).read_text() for page in MADE)
    found = [name for _, name, _ in reference._MADE.findall(every)]
    assert sorted(found) == sorted(reference.PARTS)
