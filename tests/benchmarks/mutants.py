"""Mutation testing: one small change of a module at a time, and whether its tests notice.

`python -m tests.benchmarks.mutants kittywatch/derive/steps.py tests/derive` prints the share that is killed and each
survivor as function, line and change; without arguments it does so for all of `derive/` and the ledger.

A change is made to the module's syntax tree and given to a process of its own (mutated.py) in place of the file, which
is never touched; so it can run beside everything else. Tests stop at the first failure; a mutant that takes ten times
as long as the tests without one counts as killed, because it never ends. Processes that tests start themselves, as
hooks are, run the file as it is: only the tests' own process can kill.

`--then TESTS` is a second, slower round for those that survived the first. With `--results FILE` each result is kept;
mutants that the file says were killed are not run again as long as their function is the same. `--lines 10-20` takes
only some lines. `survivors.toml` beside this file says which survivors nothing can tell from the module, and why.

Changed are comparisons, boolean and arithmetic operators, constants, conditions, returned values, and single
statements that are left out. What stands in annotations, docstrings and messages of errors is left alone.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
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
_ALL = (0, sys.maxsize)  # lines
SURVIVORS = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True)
class Mutant:
    """One changed module: where, what, and its source.

    `identity` is the same for as long as the function around it is. `whole` says that it is not in a function.
    """

    line: int
    where: str
    change: str
    source: str
    identity: str
    whole: bool


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree, lines = ast.parse(source), source.splitlines()
    texts, holders = [ast.unparse(statement) for statement in tree.body], _holders(tree)
    found: list[Mutant] = []
    for at, statement in enumerate(tree.body):
        for node, change, text in _variants(statement):
            if text != texts[at]:
                line = getattr(node, "lineno", statement.lineno)
                holder = holders.get(line)
                where = f"{holder.name if holder else 'module'}: {lines[line - 1].strip()}"
                identity = hashlib.sha256("\0".join((where, change, text)).encode()).hexdigest()[:16]
                whole = "\n\n".join([*texts[:at], text, *texts[at + 1 :]])
                found.append(Mutant(line, where, change, whole, identity, not isinstance(holder, ast.FunctionDef)))
    return sorted(found, key=lambda mutant: mutant.line)


def _variants(statement: ast.stmt) -> Iterator[tuple[ast.AST, str, str]]:
    """What can be changed in a statement of a module: the node, the change, and the statement's text then."""
    for index, node in enumerate(ast.walk(statement)):
        for number, (change, _) in enumerate(_changes(node)):
            changed = copy.deepcopy(statement)
            target = next(one for at, one in enumerate(ast.walk(changed)) if at == index)
            list(_changes(target))[number][1]()
            with contextlib.suppress(ValueError, SyntaxError):
                text = ast.unparse(ast.fix_missing_locations(changed))
                compile(text, "mutant", "exec")
                yield node, change, text


def _holders(tree: ast.Module) -> dict[int, ast.FunctionDef | ast.ClassDef]:
    """The innermost function or class that each line is in."""
    named = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return {line: node for node in named for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


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
    """Runs some tests with a mutant in a module's place."""

    def __init__(self, module: Path, tests: list[str]) -> None:
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
        self._place = tempfile.TemporaryDirectory(prefix="kittywatch-mutants-")
        plain = ["-q", "-x", "--tb=no", "-p", "no:cacheprovider", "-n", "0", "-m", ""]
        self._command = [sys.executable, "-m", "tests.benchmarks.mutated"]
        self._arguments = [name, str(module), *plain, f"--basetemp={self._place.name}/tests", *tests]
        command = [*self._command, "many", *self._arguments]
        self._many = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def passes(self, source: str, *, seconds: float, whole: bool = False) -> bool:
        """Whether the tests pass; False also where they don't end in time. `whole`: not only functions differ."""
        if whole:
            with contextlib.suppress(subprocess.TimeoutExpired):
                command = [*self._command, "one", *self._arguments]
                limit = seconds + 30  # it starts first
                done = subprocess.run(
                    command, cwd=ROOT, input=source, capture_output=True, text=True, timeout=limit, check=False
                )
                return done.returncode == 0
            return False
        assert self._many.stdin is not None
        assert self._many.stdout is not None
        self._many.stdin.write(json.dumps([source, seconds]) + "\n")
        self._many.stdin.flush()
        return bool(json.loads(self._many.stdout.readline() or "false"))

    def close(self) -> None:
        self._many.communicate()
        self._place.cleanup()


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
    for tests in rounds:
        with contextlib.closing(Runner(module, tests)) as runner:
            sound = runner.passes(source, seconds=3600, whole=True)
            start = time.monotonic()
            if not sound or not runner.passes(source, seconds=3600):
                sys.exit("the tests fail without a mutant")
            limit = max(10 * (time.monotonic() - start), 5)
            for mutant in left:
                passed = runner.passes(mutant.source, seconds=limit, whole=mutant.whole)
                results.note(mutant, killed=not passed)
        left = [mutant for mutant in left if not results.killed[mutant.identity]]
    return left


def explained(module: str) -> dict[tuple[str, str], str]:
    """Why survivors of a module are the same as the module, by where and what they change."""
    tables = tomllib.loads(SURVIVORS.read_text("utf-8"))["equivalent"]
    return {(one["where"], one["change"]): one["why"] for one in tables if one["module"] == module}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", type=Path, nargs="?")
    parser.add_argument("tests", nargs="*", default=["tests"])
    parser.add_argument("--then", nargs="+", help="the tests of a second round, for those that survive the first")
    parser.add_argument("--results", type=Path, help="a JSON file to keep the results in, and to go on from")
    parser.add_argument("--lines", type=_lines, default=_ALL, help="only these, as 10-20")
    parser.add_argument("--every", type=int, default=1, help="only each so many-th mutant")
    options = parser.parse_args()
    results = Results(options.results)
    if options.module is not None:
        rounds = [options.tests, options.then] if options.then else [options.tests]
        print(measured(options.module, rounds, results, lines=options.lines, every=options.every))
        return
    for module, rounds in _usual():
        print(f"{module}: {measured(ROOT / module, rounds, results)}", flush=True)


def _usual() -> Iterator[tuple[str, list[list[str]]]]:
    """What exactly once is decided by: the modules of `derive/` and the ledger, each with its own tests first."""
    folder = ROOT / "tests" / "derive"
    slow = folder / "test_properties.py"
    quick = [str(path) for path in sorted(folder.glob("test_*.py")) if path != slow]
    for path in sorted((ROOT / "kittywatch" / "derive").glob("[!_]*.py")):
        own = str(folder / f"test_{path.name}")
        first = sorted(quick, key=lambda test: test != own)
        yield path.relative_to(ROOT).as_posix(), [first, [str(slow)]] if slow.exists() else [first]
    yield "kittywatch/store/ledger.py", [["tests/store/test_ledger.py", "tests/store/test_views.py"]]


def measured(
    module: Path, rounds: list[list[str]], results: Results, *, lines: tuple[int, int] = _ALL, every: int = 1
) -> str:
    """The share that is killed, in words; prints the survivors that nothing explains."""
    start, module = time.monotonic(), module.resolve()
    found = mutants(module.read_text("utf-8"))
    chosen = [one for one in found if lines[0] <= one.line <= lines[1]][::every]
    left = survivors(module, chosen, rounds, results)
    name = module.relative_to(ROOT).as_posix()
    known, survived = explained(name), {(mutant.where, mutant.change): mutant for mutant in left}
    for key in (key for key in survived if key not in known):
        print(f"{name}:{survived[key].line}: {survived[key].where}\n    {survived[key].change}")
    for where, change in sorted(known.keys() - survived.keys()) if len(chosen) == len(found) else ():
        print(f"{name}: explained, but not among the survivors: {where}\n    {change}")
    killed, same = len(chosen) - len(left), sum((one.where, one.change) in known for one in left)
    return (
        f"{killed} of {len(chosen)} mutants killed, {killed / max(len(chosen), 1):.0%};"
        f" {same} equivalent, {len(left) - same} left; in {(time.monotonic() - start) / 60:.1f} min"
    )


def _lines(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


if __name__ == "__main__":
    main()
