"""What the module costs, beside four servers from PyPI and the floors below all of them; `python -m benchmarks`."""
