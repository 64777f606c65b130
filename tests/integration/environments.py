"""Environments of their own for programs that cannot share ours, made once under pytest's cache."""

import subprocess
import sys
from pathlib import Path

import pytest


def environment(config: pytest.Config, name: str, *needed: str) -> Path:
    """Give the folder of a virtual environment with these requirements; skips where they cannot be installed."""
    assert config.cache is not None
    folder = config.cache.mkdir(name)
    done = folder / ".installed"
    if not done.exists() or done.read_text() != " ".join(needed):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        installed = subprocess.run(
            [*pip, "--retries=0", "--timeout=20", *needed], capture_output=True, text=True, check=False
        )
        if installed.returncode:
            pytest.skip(f"{needed[0]} cannot be installed: {installed.stderr.strip()[-300:]}")
        done.write_text(" ".join(needed))
    return folder
