"""One measured thing, and how several rounds of it become one row."""

import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

ALONE: Final = "ONNX Runtime alone"
PATH: Final = "scoring path"


class Row(msgspec.Struct, kw_only=True):
    """A row of the table; what was not measured is None.

    Attributes:
        part: ``floor``, ``scoring path``, ``module`` or ``peer``.
        what, setting: the thing measured; its hub or how it was set.
        model: one of models.ALL, or ``instant`` and ``10 ms`` for scripts without a model.
        load: what it was given to do.
        rate: messages a second.
        cpu_us: µs of CPU a message, the whole process tree.
        p50_us, p99_us, p999_us: from sending to the answer, in µs.
        batch: requests in one run(), on average.
        load_core: share of the other core that load and hub took.
        pss_mib, start_s, second_start_s, idle_core, core_at_20: memory after load; process start to ready for a first
            and a second time; cores used with nothing to do, and at 20 messages a second.
        note: why there is nothing.
    """

    part: str
    what: str
    setting: str = ""
    model: str = "mlp"
    load: str = ""
    rate: float | None = None
    cpu_us: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    batch: float | None = None
    load_core: float | None = None
    pss_mib: float | None = None
    start_s: float | None = None
    second_start_s: float | None = None
    idle_core: float | None = None
    core_at_20: float | None = None
    note: str = ""

    @property
    def served_us(self) -> float | None:
        """The median without what hub and load themselves take of the CPU for each message: the server's own part."""
        if self.p50_us is None or self.load_core is None or not self.rate:
            return None
        return self.p50_us - self.load_core / self.rate * 1e6


class Results(msgspec.Struct):
    """What one run of the command measured."""

    machine: str
    command: str
    when: str
    versions: dict[str, str]
    rows: list[Row]


def merged(rows: Sequence[Row]) -> list[Row]:
    """Give one row for the rounds of each thing: medians, of starts the best; in the order of the first."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.part, row.what, row.setting, row.model, row.load), []).append(row)
    return [_median(group) for group in groups.values()]


def _median(rounds: Sequence[Row]) -> Row:
    made = msgspec.structs.asdict(rounds[0])
    for name in made:
        values = [value for row in rounds if isinstance(value := getattr(row, name), float)]
        if values:
            made[name] = min(values) if name.endswith("start_s") else statistics.median(values)
    return Row(**made)
