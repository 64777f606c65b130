"""What the module costs, beside four servers from PyPI and the floors below all of them; `python -m benchmarks`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "integration"))  # the broker that the tests use too
