"""Mutation testing: one small change of a module at a time, and whether its tests notice.

`python -m tests.benchmarks.mutants kittywatch/derive/steps.py tests/derive` prints the share that is killed and each
survivor as file, line and change. A change is made to the module's syntax tree and given to a fresh process in place
of the file, which is never touched; so it can run beside everything else. Tests stop at the first failure; a mutant
that takes ten times as long as the tests without one counts as killed, because it never ends.

Changed are comparisons, boolean and arithmetic operators, constants, conditions, returned values, and single
statements that are left out. What stands in annotations, docstrings and messages of errors is left alone.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).parents[2]
Change: TypeAlias = tuple[str, Callable[[], None]]
"""What is changed, for people, and what does it."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
# Run before the tests: whoever imports the module gets the mutant.
_RUNNER = """
import importlib.abc, importlib.util, json, sys
where, name, source, arguments = json.loads(sys.stdin.read())
class Mutant(importlib.abc.Loader):
    def exec_module(self, module):
        exec(compile(source, where, "exec"), module.__dict__)
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        return importlib.util.spec_from_loader(name, Mutant(), origin=where) if fullname == name else None
sys.meta_path.insert(0, Finder())
import pytest
sys.exit(pytest.main(arguments))
"""


@dataclass(frozen=True)
class Mutant:
    """One changed module: where, what, and its source."""

    line: int
    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    for index, node in enumerate(ast.walk(tree)):
        for number, (what, _) in enumerate(_changes(node)):
            changed = copy.deepcopy(tree)
            target = next(found for at, found in enumerate(ast.walk(changed)) if at == index)
            list(_changes(target))[number][1]()
            try:
                text = ast.unparse(ast.fix_missing_locations(changed))
                compile(text, "mutant", "exec")
            except (ValueError, SyntaxError):
                continue
            if text != ast.unparse(tree):
                yield Mutant(getattr(node, "lineno", 0), what, text)


def _changes(node: ast.AST) -> Iterator[Change]:
    """What can be changed at a node, and how."""
    for kind, changes in _BY_KIND.items():
        if isinstance(node, kind):
            yield from changes(node)


def _compared(node: ast.Compare) -> Iterator[Change]:
    for at, operator in enumerate(node.ops):
        other = _COMPARED.get(type(operator))
        if other is not None:
            yield f"{type(operator).__name__} → {other.__name__}", _put(node.ops, at, other())


def _combined(node: ast.BoolOp) -> Iterator[Change]:
    other: type[ast.boolop] = ast.Or if isinstance(node.op, ast.And) else ast.And
    yield f"{type(node.op).__name__} → {other.__name__}", _set(node, "op", other())
    for at in range(len(node.values)):
        yield f"without `{ast.unparse(node.values[at])}`", _drop(node, at)


def _calculated(node: ast.BinOp) -> Iterator[Change]:
    other = _CALCULATED.get(type(node.op))
    if other is not None and not _is_annotation(node):
        yield f"{type(node.op).__name__} → {other.__name__}", _set(node, "op", other())


def _decided(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
        for value in (True, False):
            yield f"condition `{ast.unparse(node.test)}` → {value}", _set(node, "test", ast.Constant(value))


def _negated(node: ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Not):
        yield "without not", _set(node, "operand", ast.UnaryOp(ast.Not(), node.operand))


def _returned(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not _is_none(node.value):
        yield f"return `{ast.unparse(node.value)}` → None", _set(node, "value", ast.Constant(None))


def _constant(node: ast.Constant) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield f"{node.value} → {not node.value}", _set(node, "value", not node.value)
    elif isinstance(node.value, int):
        yield f"{node.value} → {node.value + 1}", _set(node, "value", node.value + 1)


def _left_out(node: ast.FunctionDef | ast.For | ast.If | ast.While | ast.With) -> Iterator[Change]:
    for at, statement in enumerate(node.body):
        text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if isinstance(statement, _STATEMENTS) and not text:
            yield f"without `{ast.unparse(statement)}`", _put(node.body, at, ast.Pass())


_STATEMENTS = (ast.Assign, ast.AugAssign, ast.Expr, ast.Delete, ast.Continue, ast.Break)
_BY_KIND: dict[Any, Callable[[Any], Iterator[Change]]] = {
    ast.Compare: _compared,
    ast.BoolOp: _combined,
    ast.BinOp: _calculated,
    (ast.If, ast.While, ast.IfExp): _decided,
    ast.UnaryOp: _negated,
    ast.Return: _returned,
    ast.Constant: _constant,
    (ast.FunctionDef, ast.For, ast.If, ast.While, ast.With): _left_out,
}


def _put(items: list[Any], at: int, value: ast.AST) -> Callable[[], None]:
    return lambda: items.__setitem__(at, value)


def _set(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _drop(node: ast.BoolOp, at: int) -> Callable[[], None]:
    def drop() -> None:
        del node.values[at]
        if len(node.values) == 1:
            node.values.append(node.values[0])

    return drop


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_annotation(node: ast.BinOp) -> bool:
    """`Lane | None`: types, which nothing looks at when it runs."""
    return isinstance(node.op, ast.BitOr) and any(
        _is_none(side) or (isinstance(side, ast.Name) and side.id[:1].isupper()) for side in (node.left, node.right)
    )


def run(module: Path, source: str, tests: list[str], *, seconds: float | None) -> bool:
    """Whether the tests pass with a source in a module's place; False also where they don't end in time."""
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    arguments = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUNNER],
            cwd=ROOT,
            input=json.dumps([str(module), name, source, arguments]),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="only each so many-th mutant")
    options = parser.parse_args()
    module = options.module.resolve()
    source = module.read_text("utf-8")
    start = time.monotonic()
    if not run(module, ast.unparse(ast.parse(source)), options.tests, seconds=None):
        sys.exit("the tests fail without a mutant")
    limit = max(10 * (time.monotonic() - start), 30)
    chosen = sorted(mutants(source), key=lambda mutant: mutant.line)[:: options.every]
    with ThreadPoolExecutor(options.processes) as pool:
        survived = list(pool.map(lambda one: run(module, one.source, options.tests, seconds=limit), chosen))
    for mutant, alive in zip(chosen, survived, strict=True):
        if alive:
            print(f"{options.module}:{mutant.line}: {mutant.change}")
    killed = len(chosen) - sum(survived)
    print(f"{killed} of {len(chosen)} mutants killed, {killed / max(len(chosen), 1):.0%}, in {_minutes(start)}")


def _minutes(start: float) -> str:
    return f"{(time.monotonic() - start) / 60:.1f} min"


if __name__ == "__main__":
    main()
