"""The project's targets against the figures of one run; says whether each is met, asserts nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from .rows import ALONE, PATH, Row

_ONE_UN_ACKED = "512 waiting, one un-acked"


def targets(rows: Sequence[Row]) -> list[list[str]]:
    """Give target, figures and verdict of each. One of the module is met if it is behind every hub."""
    found = _Found(rows)
    return [[target, *_verdict(figures, limit, digits)] for target, figures, limit, digits in _all(found)]


class _Found:
    """The rows of a run, asked for figures."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = [row for row in rows if not row.note]

    def __call__(self, field: str, part: str, load: str, model: str = "mlp") -> dict[str, float]:
        """Give a field of the rows of a part, by what they are called."""
        found = [row for row in self.rows if (row.part, row.load, row.model) == (part, load, model)]
        named = {f"{row.what}, {row.setting}" if part == "peer" else row.setting: getattr(row, field) for row in found}
        return {name: value for name, value in named.items() if value is not None}

    def ratio(self, field: str, load: str, best: Callable[..., str]) -> dict[str, float]:
        """Give the module's figure over that of the peer and setting that is best in it."""
        theirs = self(field, "peer", load)
        if not theirs:
            return {}
        name = best(theirs, key=lambda each: theirs[each])
        ratios = {hub: value / theirs[name] for hub, value in self(field, "module", load).items()}
        last = list(ratios)[-1:]
        return {f"{hub} × {theirs[name]:,.0f} of {name}" if hub in last else hub: ratios[hub] for hub in ratios}

    def weight_bound(self) -> dict[str, float]:
        """Give the scoring path's rate over ONNX Runtime's own, for 21 MB of weights at the batch size chosen."""
        alone = [row for row in self.rows if row.what == ALONE and row.model == "wide"]
        ours = [row for row in self.rows if (row.what, row.model, row.load) == (PATH, "wide", "many waiting")]
        if not alone or not ours:
            return {}
        floor = min(alone, key=lambda row: abs(int(row.load.split()[1]) - (ours[0].batch or 0)))
        return {floor.load: (ours[0].rate or 0.0) / (floor.rate or 1.0)}

    def batched_cnn(self) -> dict[str, float]:
        """Give the scoring path's rate over its own with one message at a time."""
        one, many = (self("rate", PATH, load, "cnn") for load in ("one at a time", "many waiting"))
        return {name: many[name] / one[name] for name in one if name in many}


def _all(found: _Found) -> Iterator[tuple[str, Mapping[str, float], float, int]]:
    """Give target, figures, limit (below 0: at least its positive) and digits to show."""
    yield "scoring path, MLP, one core: at least 40,000 msg/s", found("rate", PATH, "many waiting"), -40_000, 0
    yield "… at most 20 µs of CPU a message", found("cpu_us", PATH, "many waiting"), 20, 1
    yield "module, 32 in flight: at most 120 µs of CPU", found("cpu_us", "module", "32 in flight"), 120, 0
    yield "module, 512 waiting: at most 120 µs", found("cpu_us", "module", "512 waiting"), 120, 0
    yield "one un-acked, instant script: at most 250 µs", found("cpu_us", "module", _ONE_UN_ACKED, "instant"), 250, 0
    yield "one un-acked, 10 ms script: at most 150 µs", found("cpu_us", "module", _ONE_UN_ACKED, "10 ms"), 150, 0
    yield "CPU, 32 in flight: under half of the best peer's", found.ratio("cpu_us", "32 in flight", min), 0.5, 2
    yield "msg/s, 32 in flight: twice the best peer's", found.ratio("rate", "32 in flight", max), -2, 2
    yield "p50, 1 in flight: below the best peer's", found.ratio("p50_us", "1 in flight", min), 1, 2
    yield "… without hub and load, which take CPU too", found.ratio("served_us", "1 in flight", min), 1, 2
    yield "p99, 32 in flight: below every peer's", found.ratio("p99_us", "32 in flight", min), 1, 2
    yield "21 MB of weights: 0.85 of ONNX Runtime's own rate", found.weight_bound(), -0.85, 2
    yield "CNN: many waiting never slower than one at a time", found.batched_cnn(), -1, 2
    yield "idle: core 0.00", found("idle_core", "module", "life"), 0.005, 3
    yield "memory: at most 80 MiB", found("pss_mib", "module", "life"), 80, 0
    yield "20 msg/s: at most 0.03 core", found("core_at_20", "module", "life"), 0.03, 3
    yield "first start: ready in 2 s", found("start_s", "module", "life"), 2, 2
    yield "second start: ready in 1 s", found("second_start_s", "module", "life"), 1, 2
    yield "hub and load no limit: under 0.9 of their core", found("load_core", "module", "512 waiting"), 0.9, 2


def _verdict(figures: Mapping[str, float], limit: float, digits: int) -> tuple[str, str]:
    if not figures:
        return "not measured", "?"
    met = all(value <= limit if limit > 0 else value >= -limit for value in figures.values())
    shown = ", ".join(f"{value:,.{digits}f} {name}".strip() for name, value in figures.items())
    return shown, "yes" if met else "NO"
