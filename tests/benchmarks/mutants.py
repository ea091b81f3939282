"""Mutation testing: one small change of a module at a time, and whether its tests notice.

`python -m tests.benchmarks.mutants kittywatch/derive/steps.py tests/derive` prints the share that is killed and each
survivor as function, line and change. A change is made to the module's syntax tree and given to a fresh process in
place of the file, which is never touched; so it can run beside everything else. Tests stop at the first failure; a
mutant that takes ten times as long as the tests without one counts as killed, because it never ends. Processes that
tests start themselves, as hooks are, run the file as it is: only what runs in the tests' own process can kill.

`--then TESTS` is a second, slower round for those that survived the first. With `--results FILE` each result is kept;
mutants that the file says were killed are not run again as long as their function is the same. `--lines 10-20` takes
only some lines. `survivors.toml` beside this file says which survivors nothing can tell from the module, and why.

Changed are comparisons, boolean and arithmetic operators, constants, conditions, returned values, and single
statements that are left out. What stands in annotations, docstrings and messages of errors is left alone.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
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
# One process imports what does not change, and runs the tests for each mutant in a fork of itself: whoever imports the
# module there gets the mutant. It reads {source, arguments, seconds} line by line, and answers whether the tests pass.
_RUNNER = """
import importlib, importlib.abc, importlib.util, json, os, signal, sys, time
where, name = sys.argv[1:]
import hypothesis.strategies, pytest
importlib.import_module(name)
for loaded in [one for one in sys.modules if one.partition(".")[0] in ("kittywatch", "tests")]:
    del sys.modules[loaded]
class Mutant(importlib.abc.Loader):
    def exec_module(self, module):
        exec(compile(source, where, "exec"), module.__dict__)
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        return importlib.util.spec_from_loader(name, Mutant(), origin=where) if fullname == name else None
sys.meta_path.insert(0, Finder())
for line in sys.stdin:
    source, arguments, seconds = json.loads(line)
    child = os.fork()
    if not child:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        try:
            code = int(pytest.main(arguments))
        except BaseException:
            code = 1
        os._exit(code)
    deadline = time.monotonic() + seconds
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.02)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(json.dumps(bool(ended) and status == 0), flush=True)
"""
SURVIVORS = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True)
class Mutant:
    """One changed module: where, what, and its source. `identity` is the same while the function around it is."""

    line: int
    where: str
    change: str
    source: str
    identity: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree, lines = ast.parse(source), source.splitlines()
    original, inside = ast.unparse(tree), _functions(tree)
    found: list[Mutant] = []
    for index, node in enumerate(ast.walk(tree)):
        for number, (what, _) in enumerate(_changes(node)):
            changed = copy.deepcopy(tree)
            target = next(one for at, one in enumerate(ast.walk(changed)) if at == index)
            list(_changes(target))[number][1]()
            try:
                text = ast.unparse(ast.fix_missing_locations(changed))
                compile(text, "mutant", "exec")
            except (ValueError, SyntaxError):
                continue
            if text != original:
                line = getattr(node, "lineno", 0)
                where = f"{inside.get(line, 'module')}: {lines[line - 1].strip()}"
                found.append(Mutant(line, where, what, text, _identity(tree, changed, where, what)))
    return iter(sorted(found, key=lambda mutant: mutant.line))


def _functions(tree: ast.Module) -> dict[int, str]:
    """The name of the innermost function or class that each line is in."""
    named = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return {line: node.name for node in named for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def _identity(tree: ast.Module, changed: ast.Module, where: str, what: str) -> str:
    """A fingerprint of the statement of the module that is changed, as it is then."""
    pairs = ((ast.unparse(one), ast.unparse(other)) for one, other in zip(tree.body, changed.body, strict=True))
    different = next(other for one, other in pairs if one != other)
    return hashlib.sha256("\0".join((where, what, different)).encode()).hexdigest()[:16]


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


class Runner:
    """Runs tests with a source in a module's place."""

    def __init__(self, module: Path) -> None:
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
        command = [sys.executable, "-c", _RUNNER, str(module), name]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def passes(self, source: str, tests: list[str], *, seconds: float) -> bool:
        """Whether the tests pass; False also where they don't end in time."""
        options = ["-W", "ignore:Module already imported", "-p", "no:cacheprovider", "-p", "no:xdist"]
        arguments = ["-q", "-x", "--tb=no", *options, *tests]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([source, arguments, seconds]) + "\n")
        self._process.stdin.flush()
        return bool(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


class Results:
    """Which mutants were killed, by their identities, in a file where there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.killed: dict[str, bool] = json.loads(path.read_bytes()) if path is not None and path.exists() else {}

    def note(self, mutant: Mutant, *, killed: bool) -> None:
        self.killed[mutant.identity] = killed
        if self._path is not None:
            self._path.write_text(json.dumps(self.killed, indent=1), "utf-8")


def survivors(module: Path, chosen: list[Mutant], rounds: list[list[str]], results: Results) -> list[Mutant]:
    """Those that pass every round of tests."""
    left = [mutant for mutant in chosen if not results.killed.get(mutant.identity)]
    source = ast.unparse(ast.parse(module.read_text("utf-8")))
    with closing(Runner(module)) as runner:
        for tests in rounds:
            start = time.monotonic()
            if not runner.passes(source, tests, seconds=3600):
                sys.exit("the tests fail without a mutant")
            limit = max(10 * (time.monotonic() - start), 10)
            for mutant in left:
                results.note(mutant, killed=not runner.passes(mutant.source, tests, seconds=limit))
            left = [mutant for mutant in left if not results.killed[mutant.identity]]
    return left


def explained(module: str) -> dict[tuple[str, str], str]:
    """Why survivors of a module are the same as the module, by where and what they change."""
    tables = tomllib.loads(SURVIVORS.read_text("utf-8"))["equivalent"]
    return {(one["where"], one["change"]): one["why"] for one in tables if one["module"] == module}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--then", nargs="+", help="the tests of a second round, for those that survive the first")
    parser.add_argument("--results", type=Path, help="a JSON file to keep the results in, and to go on from")
    parser.add_argument("--lines", type=_lines, default=(0, sys.maxsize), help="only these, as 10-20")
    parser.add_argument("--every", type=int, default=1, help="only each so many-th mutant")
    options = parser.parse_args()
    start, module = time.monotonic(), options.module.resolve()
    first, last = options.lines
    chosen = [one for one in mutants(module.read_text("utf-8")) if first <= one.line <= last][:: options.every]
    rounds = [options.tests, options.then] if options.then else [options.tests]
    left = survivors(module, chosen, rounds, Results(options.results))
    known = explained(module.relative_to(ROOT).as_posix())
    same = [mutant for mutant in left if (mutant.where, mutant.change) in known]
    for mutant in left:
        if mutant not in same:
            print(f"{options.module}:{mutant.line}: {mutant.where}\n    {mutant.change}")
    killed = len(chosen) - len(left)
    print(
        f"{killed} of {len(chosen)} mutants killed, {killed / max(len(chosen), 1):.0%};"
        f" {len(same)} equivalent, {len(left) - len(same)} left; in {(time.monotonic() - start) / 60:.1f} min"
    )


def _lines(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


if __name__ == "__main__":
    main()
