"""The child of a proof: ``python -m scoring.proof_child DESCRIPTOR``, the question on standard input.

The verdict goes to that file descriptor: what the script prints is none of it.
"""

import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from .proof import Verdict, prove
from .script import load_one_by_one


def main() -> None:
    """Load the script with its own init() and say whether its requests may be merged."""
    question = json.load(sys.stdin)
    limit = question["memory_mb"] << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.nice(10)
    try:
        verdict = prove(load_one_by_one(Path(question["directory"]), question["script"]), question["samples"])
    except BaseException as error:
        verdict = Verdict(False, f"the script does not load a second time: {type(error).__name__}: {error}")
    with os.fdopen(int(sys.argv[1]), "w") as answer:
        json.dump(asdict(verdict), answer)
        answer.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
