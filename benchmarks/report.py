"""Rows → the tables that are printed and that benchmarks/README.md holds, and its picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

from .models import ALL, SMALL
from .rows import ALONE, PATH, Results, Row
from .targets import targets

_MARKS = "<!-- results: scripts/benchmark --write -->", "<!-- end of results -->"
_NO_MODEL = ("instant", "10 ms")
_Columns = dict[str, Callable[[Row], str]]
_FIGURES: _Columns = {
    "load": lambda row: row.load,
    "msg/s": lambda row: _number(row.rate),
    "CPU µs": lambda row: _number(row.cpu_us),
    "p50 µs": lambda row: _number(row.p50_us),
    "p99 µs": lambda row: _number(row.p99_us),
    "p99.9 µs": lambda row: _number(row.p999_us),
    "mean batch": lambda row: _number(row.batch, 1),
    "its core": lambda row: _number(row.rate and row.cpu_us and row.rate * row.cpu_us / 1e6, 2),
    "load's core": lambda row: _number(row.load_core, 2),
    "note": lambda row: row.note,
}
_LIFE: _Columns = {
    "PSS MiB": lambda row: _number(row.pss_mib),
    "first start s": lambda row: _number(row.start_s, 2),
    "second start s": lambda row: _number(row.second_start_s, 2),
    "idle core": lambda row: _number(row.idle_core, 3),
    "core at 20 msg/s": lambda row: _number(row.core_at_20, 3),
}


def text(results: Results) -> str:
    """Give all tables in Markdown; the last one says which targets are met."""
    rows = results.rows
    servers = [row for row in rows if row.load_core is not None or row.note]
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    parts = {
        "Without hub or server: µs of CPU a message on one core": _in_process(rows),
        "Servers on one core, MLP 32-64-1": _flat([row for row in servers if row.model not in SMALL[1:]], _FIGURES),
        "The same servers, other figures": _flat([row for row in rows if row.load == "life"], _LIFE),
        "Other models, 32 in flight: msg/s (µs of CPU a message)": _others(servers),
        "Targets, from the same run": _grid([["target", "measured", "met"], *targets(rows)]),
    }
    head = f"{results.when}, `{results.command}`, {results.machine}; {versions}."
    return "\n\n".join([head, *(f"### {title}\n\n{table}" for title, table in parts.items() if table)])


def write(results: Results, folder: Path) -> None:
    """Put tables and picture into benchmarks/README.md and benchmarks/plots."""
    _draw(results.rows, folder / "plots" / "servers.svg")
    page = folder / "README.md"
    before, _, rest = page.read_text().partition(_MARKS[0])
    page.write_text(f"{before}{_MARKS[0]}\n\n{text(results)}\n\n{_MARKS[1]}{rest.partition(_MARKS[1])[2]}")


def _in_process(rows: Sequence[Row]) -> str:
    batches = list(dict.fromkeys(row.load for row in rows if row.what == ALONE))
    lines = [["model", *(f"ORT {batch}" for batch in batches), f"{PATH}, one", "many waiting", "msg/s", "mean batch"]]
    for model in ALL:
        found = {row.load: row for row in rows if row.model == model and row.what in (ALONE, PATH)}
        if found:
            many = found["many waiting"]
            cells = [found[load].cpu_us if load in found else None for load in (*batches, "one at a time", many.load)]
            lines.append([model, *(_number(cell, 2) for cell in cells), _number(many.rate), _number(many.batch, 1)])
    return _grid(lines)


def _others(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(_name(row) for row in rows if row.model in SMALL[1:]))
    cells = {
        (_name(row), row.model): row.note or f"{_number(row.rate)} ({_number(row.cpu_us)})"
        for row in rows
        if row.load == "32 in flight" or row.note
    }
    lines = [[name, *(cells.get((name, model), "") for model in SMALL[1:])] for name in names]
    return _grid([["server", *SMALL[1:]], *lines]) if lines else ""


def _flat(rows: Sequence[Row], columns: _Columns) -> str:
    shown = {name: get for name, get in columns.items() if any(get(row) for row in rows)}
    return _grid([["server", *shown], *([_name(row), *(get(row) for get in shown.values())] for row in rows)])


def _name(row: Row) -> str:
    return ", ".join(filter(None, (row.what, row.setting, f"{row.model} script" if row.model in _NO_MODEL else "")))


def _grid(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _draw(rows: Sequence[Row], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - takes a second

    mpl.use("svg")
    from matplotlib import pyplot  # noqa: PLC0415

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 8})
    panels = {
        "CPU a message, µs (32 in flight)": ("32 in flight", "cpu_us", 1.0),
        "p50, µs (1 in flight)": ("1 in flight", "p50_us", 1.0),
        "p99, ms (32 in flight)": ("32 in flight", "p99_us", 1e-3),
        "memory, PSS MiB": ("life", "pss_mib", 1.0),
    }
    figure, axes = pyplot.subplots(1, len(panels), figsize=(11, 2.6), sharey=True, layout="constrained")
    for axis, (title, (load, field, unit)) in zip(axes, panels.items(), strict=True):
        shown = [row for row in rows if (row.load, row.model) == (load, "mlp") and row.part in ("module", "peer")]
        colours = ["#1b6ca8" if row.part == "module" else "#b8b8b8" for row in shown]
        bars = axis.barh([_name(row) for row in shown], [unit * getattr(row, field) for row in shown], color=colours)
        axis.bar_label(bars, fmt="{:,.0f}", padding=2)
        axis.set_title(title, fontsize=8)
        axis.margins(x=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
