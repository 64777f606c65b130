"""Small scripts that chance writes, full of names, scopes and state: what the reading lets pass keeps nothing."""

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scoring.merging.reading.calls import what_stands_against

HEAD = """
import copy, json
class E(Exception):
    n = 0
S, D, K = [[0]], {"a": [1]}, 3
def ident(x): return x
def put(x, y):
    x.append(y)
    return x
def fails(x): raise ValueError(x)
def run(data):
"""
NAMES = ("a", "b", "e", "f", "last", "S", "D", "K", "E")
STARTS = ("[]", "[1]", "0", "S", "D", "E", "ident", "S[0]", "json.loads(data)")


def written(seed: int) -> str:
    """Give a script; not each is Python."""
    chance = random.Random(seed)

    def any_of(*choices: Callable[[], str]) -> str:
        return chance.choice(choices)()

    def name() -> str:
        return chance.choice(NAMES)

    def target() -> str:
        return any_of(*[name] * 4, lambda: f"{name()}[0]", lambda: f"{name()}.n", lambda: f"({name()}, *{name()})")

    def value(depth: int = 2) -> str:
        def part() -> str:
            return value(depth - 1)

        if not depth or chance.random() < 0.3:
            return chance.choice((*NAMES, "1"))
        return any_of(
            lambda: f"[{part()}]",
            lambda: f"[{part()} for {target()} in {part()}]",
            lambda: f"list({part()} for {target()} in {part()} if {part()})",
            lambda: f"{chance.choice(('ident', 'copy.copy', 'list', 'f', 'len', 'E', 'str'))}({part()})",
            lambda: f"sorted({part()}, key=lambda {name()}: {part()})",
            lambda: f"put({part()}, {part()})",
            lambda: f"({name()} := {part()})",
            lambda: f"{part()}[0]",
            lambda: f"{part()}.{chance.choice(('args', 'n', 'pop()', 'copy()', 'clear()'))}",
        )

    def statement() -> list[str]:
        return any_of(
            *[lambda: f"{target()} = {value()}"] * 3,
            value,
            lambda: f"{name()} += {value(1)}",
            lambda: f"del {target()}",
            lambda: f"for {target()} in {value()}:\n    {value(1)}",
            lambda: f"from copy import copy as {name()}",
            lambda: f"try:\n    fails({value()})\nexcept Exception as {name()}:\n    {target()} = {value()}",
        ).splitlines()

    lines = [f"global {each}" for each in chance.sample(("last", "S", "a"), chance.randrange(3))]
    lines += [f"{each} = {chance.choice(STARTS)}" for each in ("a", "b", "e", "f") if chance.random() < 0.6]
    for _ in range(chance.randrange(1, 4)):
        lines += ["try:", *(f"    {line}" for line in statement()), "except Exception:", "    pass"]
    return HEAD + "".join(f"    {line}\n" for line in (*lines, f"return {value()}"))


def state(module: ModuleType) -> dict[str, str]:
    """Give all that may outlive a call, as text."""
    classes = {name: sorted(vars(each)) for name, each in vars(module).items() if isinstance(each, type)}
    functions = {name: vars(each) for name, each in vars(module).items() if callable(each) and name not in classes}
    names = {name: repr(each) for name, each in vars(module).items() if name != "__builtins__"}
    return names | {
        "classes": repr(classes),
        "functions": repr(functions),
        "n": repr(vars(module)["E"].__dict__.get("n")),
    }


def loaded(path: Path, text: str) -> Any:
    """Give a script as a module; a file of its own each time."""
    path.write_text(text)
    module = ModuleType(path.stem)
    exec(compile(text, str(path), "exec"), vars(module))
    return module


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.usefixtures("process")
def test_what_the_reading_lets_pass_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called again with the same message it gives the same, and leaves all as it was."""
    monkeypatch.chdir(tmp_path)
    passed = 0
    for seed in range(250):
        try:
            module = loaded(tmp_path / f"script_{seed}.py", written(seed))
        except SyntaxError:
            continue
        if what_stands_against(module.run, text=True):
            continue
        passed += 1
        before, given = state(module), []
        for _ in range(3):
            try:
                given.append(repr(module.run("[[1, 2]]")))
            except Exception as error:
                given.append(repr(error))
        assert state(module) == before, written(seed)
        assert len(set(given)) == 1 or " at 0x" in given[0], written(seed)
    assert passed > 20
