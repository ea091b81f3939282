"""Runs tests with a mutant in a module's place; mutants.py starts it and says which.

`one`: a mutant of the whole module, which is on standard input; exits as pytest does. `many`: mutants of functions,
each a line of JSON on standard input, (source, seconds); answers each with whether the tests pass, as a line of JSON.
For those the tests are collected once, and run in a fork of the process in which the functions of the module have the
mutant's code. What the tests' modules made of the module when they were imported is as it was.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType

import pytest


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Whoever imports the module gets the mutant."""

    def __init__(self, name: str, file: str, source: str) -> None:
        self._name, self._file, self._source = name, file, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self, origin=self._file) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._file, "exec"), module.__dict__)


class _Many:
    """Instead of running the tests: runs them for each mutant that is asked for."""

    def __init__(self, name: str, answers: int) -> None:
        self._name = name
        self._answers = answers

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        module = importlib.import_module(self._name)
        gc.freeze()  # collecting would copy all that the children share
        for line in sys.stdin:
            source, seconds = json.loads(line)
            child = os.fork()
            if not child:
                _as_child(session, module, source)
            answer = json.dumps(_succeeds(child, seconds) and not session.testsfailed)
            os.write(self._answers, f"{answer}\n".encode())
        return True


def _as_child(session: pytest.Session, module: ModuleType, source: str) -> None:
    """Run the tests until one fails, and end the process."""
    code = 1
    try:
        os.setsid()
        _patch(module, source)
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                break
        code = 1 if session.testsfailed else 0
    finally:
        os._exit(code)


def _succeeds(child: int, seconds: float) -> bool:
    """Whether a child ends well in time; it is killed with what it started where it doesn't."""
    deadline = time.monotonic() + seconds
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.005)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return bool(ended) and status == 0


def _patch(module: ModuleType, source: str) -> None:
    """Give the functions of a module the code that those in a source have."""
    changed = ModuleType(module.__name__)
    exec(compile(source, str(module.__file__), "exec"), changed.__dict__)
    theirs = dict(_functions(vars(changed), module.__name__))
    for name, function in _functions(vars(module), module.__name__):
        other = theirs[name]
        function.__code__, function.__defaults__ = other.__code__, other.__defaults__
        function.__kwdefaults__ = other.__kwdefaults__


def _functions(names: dict[str, object], module: str) -> Iterator[tuple[str, FunctionType]]:
    """The functions of a module or of a class, and those of its classes, by their full names."""
    for value in names.values():
        inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(inner, FunctionType) and inner.__module__ == module:
            yield inner.__qualname__, inner
        elif isinstance(value, type) and value.__module__ == module:
            yield from _functions(dict(vars(value)), module)


def main() -> None:
    how, name, file, *arguments = sys.argv[1:]
    if how == "one":
        sys.meta_path.insert(0, _Finder(name, file, sys.stdin.read()))
        sys.exit(pytest.main(arguments))
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    pytest.main([*arguments, "-s"], plugins=[_Many(name, answers)])


if __name__ == "__main__":
    main()
