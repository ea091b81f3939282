"""The shape of what decides: sizes and branches of `kittywatch/derive` and `kittywatch/observe`.

`python -m tests.benchmarks.shape` prints them for HEAD, `python -m tests.benchmarks.shape REV` for a revision, as git
has it; two of them compare. Lines are lines of code: neither empty, nor comment, nor docstring. Branches are if, elif,
for, while, except, case, and/or, conditional expressions, and the conditions of comprehensions. A mutable field is one
of the class that holds the ledger in memory: each is something that one part may change under another.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[2]
FOLDERS = ("kittywatch/derive", "kittywatch/observe")
STATES = ("LedgerState", "Book")
"""The class of the ledger's state, by the names that it has had."""
_MANY = 5  # parameters
_LONG = 400  # lines of a file

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file: its lines of code, all its lines, and its syntax tree."""

    path: str
    code: int
    lines: int
    tree: ast.Module


@dataclass(frozen=True)
class Shape:
    """The measures of some modules; what is counted is named, so that it can be found."""

    modules: int
    code: int
    branches: int
    many_parameters: tuple[str, ...]
    longest: tuple[int, str]
    long_files: tuple[str, ...]
    fields: tuple[str, ...]

    @property
    def density(self) -> float:
        """Branches per hundred lines of code."""
        return 100 * self.branches / self.code if self.code else 0.0


def module(path: str, source: str) -> Module:
    """Read one file."""
    tree = ast.parse(source)
    return Module(path, len(_code_lines(source, tree)), len(source.splitlines()), tree)


def shape(modules: Iterable[Module]) -> Shape:
    """Measure some modules together."""
    found = list(modules)
    functions = [(one, node) for one in found for node in ast.walk(one.tree) if isinstance(node, _Function)]
    lengths = [((node.end_lineno or node.lineno) - node.lineno + 1, _name(one, node)) for one, node in functions]
    return Shape(
        len(found),
        sum(one.code for one in found),
        sum(branches(node) for one in found for node in ast.walk(one.tree)),
        tuple(_name(one, node) for one, node in functions if parameters(node) > _MANY),
        max(lengths, default=(0, "")),
        tuple(f"{one.path} ({one.lines})" for one in found if one.lines > _LONG),
        tuple(name for one in found for name in _fields(one.tree)),
    )


def branches(node: ast.AST) -> int:
    """How many ways to go on a node adds by itself."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return len(node.ifs)
    alone = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.IfExp, ast.ExceptHandler, ast.match_case)
    return int(isinstance(node, alone))


def parameters(function: _Function) -> int:
    """How many parameters a function has, without the object or class that it belongs to."""
    args = function.args
    named = [one.arg for one in (*args.posonlyargs, *args.args)]
    own = named[:1] in (["self"], ["cls"])
    return len(named) + len(args.kwonlyargs) + bool(args.vararg) + bool(args.kwarg) - own


def _code_lines(source: str, tree: ast.Module) -> set[int]:
    """The lines with something on them that runs."""
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in nothing:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _fields(tree: ast.Module) -> Iterator[str]:
    """The fields of the ledger's state, which is a class whose objects can be changed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in STATES:
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    yield statement.target.id


def _name(one: Module, node: _Function) -> str:
    return f"{one.path}:{node.lineno} {node.name}"


def sources(revision: str) -> dict[str, str]:
    """The files of the folders at a revision, by their paths; raises CalledProcessError where git knows none."""
    listed = _git("ls-tree", "-r", "--name-only", "-z", revision, "--", *FOLDERS).split("\0")
    return {path: _git("show", f"{revision}:{path}") for path in listed if path.endswith(".py")}


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _lines(what: str, measured: Shape) -> Iterator[str]:
    length, where = measured.longest
    yield f"{what}: {measured.modules} files"
    yield f"  lines of code                     {measured.code:,}"
    yield f"  branches per hundred lines        {measured.density:.1f}"
    yield f"  functions of over {_MANY} parameters    {len(measured.many_parameters)}"
    yield from (f"    {one}" for one in measured.many_parameters)
    yield f"  longest function, lines           {length}  ({where})"
    yield f"  files over {_LONG} lines              {len(measured.long_files)}"
    yield from (f"    {one}" for one in measured.long_files)
    if measured.fields:
        yield f"  mutable fields of the ledger      {len(measured.fields)}  ({', '.join(measured.fields)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("revision", nargs="?", default="HEAD", help="a commit, branch or tag (default %(default)s)")
    options = parser.parse_args()
    modules = [module(path, source) for path, source in sources(options.revision).items()]
    for folder in FOLDERS:
        print("\n".join(_lines(folder, shape(one for one in modules if one.path.startswith(f"{folder}/")))))
    print("\n".join(_lines("both", shape(modules))))


if __name__ == "__main__":
    main()
