"""How many threads a session gets: what the container's CPU quota says."""

from pathlib import Path

import pytest

from scoring.execution import cores


@pytest.mark.parametrize(
    ("quota", "threads"),
    [("150000 100000", 2), ("50000 100000", 1), ("900000 100000", 4), ("max 100000", 4), ("", 4)],
)
def test_threads_follow_the_cgroups_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, threads: int
) -> None:
    """The quota rounded up, at least one, at most the cores; without a readable one the cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(cores, "_CPU_V1", tmp_path / "absent")
    monkeypatch.setattr(cores, "_CPU_MAX", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(quota)
    assert cores.cpu_threads() == threads


@pytest.mark.parametrize(("quota", "threads"), [("150000", 2), ("-1", 4)])
def test_threads_follow_the_old_cgroups_quota_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, threads: int
) -> None:
    """Version 1 keeps quota and period in a file each; -1 is no limit."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(cores, "_CPU_MAX", tmp_path / "absent")
    monkeypatch.setattr(cores, "_CPU_V1", tmp_path)
    (tmp_path / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu.cfs_period_us").write_text("100000")
    assert cores.cpu_threads() == threads
