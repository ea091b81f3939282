"""Which tests are quick: one of each rule and of each scenario, whatever else is long; and nothing is skipped in CI."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import ROOT, citations, definitions

_ROW = re.compile(r'@(?:scenario|row)\(\s*"(\w+)"')
_IS_LONG = ("pytest.mark.long",)


def quick_parts(text: str) -> Iterator[str]:
    """The text of each test that has a quick case, its decorators included; of a module that is long, nothing."""
    tree = ast.parse(text)
    if any(isinstance(node, ast.Assign) and _assigns_long(node) for node in tree.body):
        return
    lines = text.splitlines(keepends=True)
    last = len(lines)
    for node in reversed(tree.body):
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]) - 1
        is_test = isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if is_test and not any(ast.unparse(one) in _IS_LONG for one in getattr(node, "decorator_list", [])):
            yield "".join(lines[first:last])
        last = first


def _assigns_long(node: ast.Assign) -> bool:
    return ast.unparse(node.targets[0]) == "pytestmark" and "mark.long" in ast.unparse(node.value)


def rows(text: str) -> Iterator[str]:
    """The rules and scenarios by whose names the tests of a table are known."""
    for name in _ROW.findall(text):
        yield name if name[0].isalpha() else f"scenario {name}"


def test_each_rule_and_each_scenario_has_a_quick_test() -> None:
    held: set[str] = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.name not in ("test_docs.py", Path(__file__).name):
            for part in quick_parts(path.read_text("utf-8")):
                held |= {name for name, _ in citations(part)} | set(rows(part))
    assert [name for name in definitions() if name not in held] == []


def test_parts_that_are_long_hold_nothing() -> None:
    text = '''
import pytest

@pytest.mark.long
@scenario("1", every=[])
def test_long():
    """Rule O1."""

# Rule O2.
@scenario("2", every=[])
@amounts("kills", sample=1, most=2)
def test_quick():
    """Rule O3."""

def helper():
    """Rule O4."""
'''
    (part,) = quick_parts(text)
    assert [*rows(part), *(name for name, _ in citations(part))] == ["scenario 2", "O3"]
    assert list(quick_parts(f"import pytest\npytestmark = pytest.mark.long\n{text}")) == []


_TESTS = {
    "conftest.py": """
import pytest
from tests import selection
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport

@pytest.fixture(params=["W", "H", "WH"])
def world(request):
    return request.param

def pytest_configure(config):
    selection.choose(config)

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    selection.TESTS = config.rootpath
    selection.leave_out(config, items)
    selection.mark(items)
""",
    "scenarios/test_rows.py": """
import pytest

@pytest.mark.parametrize("number", range(40))
def test_row(world, number):
    pass

@pytest.mark.long
def test_long():
    pass
""",
    "hub/test_hub.py": """
import pytest

@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("number", range(40))
def test_database(database, number):
    pass
""",
    "test_skipped.py": """
import pytest

def test_needs_more():
    pytest.skip("fish is not installed")

@pytest.mark.xfail(reason="not yet", strict=True)
def test_expected():
    assert False

@pytest.mark.beside("/nowhere/at/all")
def test_beside():
    assert False
""",
    "pytest.ini": """
[pytest]
addopts = --strict-markers --import-mode=importlib -p no:cacheprovider -m "not long" -rs
markers =
    long: long
    beside(path): beside
""",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of tests that are selected as these ones are."""
    for name, text in _TESTS.items():
        path = tmp_path / "tests of its own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "tests of its own"


def pytest_in(place: Path, *arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Its exit code, and what it says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KITTYWATCH_", "PYTEST_", "CI"))}
    command = [sys.executable, "-m", "pytest", *arguments]
    environment = kept | {"PYTHONPATH": os.fspath(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def collected(place: Path, *arguments: str, **environment: str) -> list[str]:
    return [line for line in pytest_in(place, "--collect-only", "-q", *arguments, **environment)[1] if "::" in line]


def test_each_case_of_a_table_is_quick_in_one_mode(place: Path) -> None:
    found = [re.findall(r"\w+", one)[-2:] for one in collected(place, "scenarios")]
    assert sorted(int(number) for _, number in found) == list(range(40))
    assert {mode for mode, _ in found} == {"W", "H", "WH"}
    assert [re.findall(r"\w+", one)[-2:] for one in collected(place, "scenarios")] == found
    assert len(collected(place, "scenarios", "-m", "long")) == 2 * 40 + 1
    assert len(collected(place, "scenarios", "-m", "")) == 3 * 40 + 1


def test_what_is_named_and_what_is_in_a_campaign_runs_though_it_is_long(place: Path) -> None:
    for mode in ("W", "H", "WH"):
        assert len(collected(place, f"scenarios/test_rows.py::test_row[{mode}-3]")) == 1
    assert len(collected(place, "scenarios/test_rows.py::test_long")) == 1
    assert len(collected(place, "scenarios", KITTYWATCH_CAMPAIGN="1")) == 3 * 40 + 1
    assert len(collected(place, "scenarios", "-m", "not long", KITTYWATCH_SEED="1")) == 3 * 40 + 1


def test_one_database_is_quick_and_a_sample_of_the_other(place: Path) -> None:
    found = collected(place, "hub")
    assert sum("sqlite" in one for one in found) == 40
    assert 2 <= sum("postgresql" in one for one in found) <= 20


def test_what_is_missing_is_skipped_and_said_and_fails_in_ci(place: Path) -> None:
    code, said = pytest_in(place, "test_skipped.py")
    assert code == 0
    assert any("fish is not installed" in line for line in said)
    assert "1 skipped, 1 deselected, 1 xfailed" in said[-1]
    code, said = pytest_in(place, "test_skipped.py", CI="true")
    assert code == 1
    assert any("CI skips no test: " in line and "fish is not installed" in line for line in said)
    assert "1 failed, 1 deselected, 1 xfailed" in said[-1]
