"""Scores every case of tests/script_cases.py in the interpreter that runs it, one JSON line each.

Run as ``python score_cases.py FOLDER-OF-SCRIPTS`` with the repository and tests/ on PYTHONPATH.
"""

import json
import os
import sys
from pathlib import Path

from script_cases import CASES, Case, answer

from scoring.errors import ScoringError


def main() -> None:
    """Score all cases in order."""
    os.environ.pop("AZUREML_MODEL_DIR", None)
    for case in CASES:
        before = set(sys.modules)
        print(json.dumps(scored(Path(sys.argv[1]), case)), flush=True)
        for name in set(sys.modules) - before:
            if name.startswith("scoring_script_") or "of_this_test" in name:
                del sys.modules[name]
        os.environ.pop("AZUREML_MODEL_DIR", None)


def scored(scripts: Path, case: Case) -> dict[str, str]:
    """Give the body that leaves, as text in which every byte is a character, or the sentence."""
    try:
        (left,) = answer(scripts / case.folder, case)
    except ScoringError as error:
        return {"error": str(error)}
    return {"body": left.body.decode("latin-1")}


if __name__ == "__main__":
    main()
