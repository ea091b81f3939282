"""What a process loads, and which way imports point."""

from __future__ import annotations

import ast
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import kittywatch

PACKAGE = Path(kittywatch.__file__).parent
HEAVY = {
    "asyncio",
    "click",
    "email",
    "git",
    "http",
    "httpx",
    "importlib.metadata",
    "jsonschema",
    "rich",
    "ruamel",
    "ssl",
    "ulid",
    "unittest",
    "watchdog",
    "websockets",
}
_FILES = {"os", "io", "pathlib", "shutil", "tempfile", "glob", "fcntl", "msvcrt"}
_NETWORK = {"socket", "ssl", "http", "urllib", "httpx", "websockets", "asyncio"}
_TIME = {"time", "random", "secrets", "sched"}
_PROCESSES = {"subprocess", "multiprocessing", "signal"}

# From the core outward: a part imports itself and what stands before it.
LAYERS: tuple[set[str], ...] = (
    {"errors", "startup"},
    {"home", "natural", "yaml"},
    {"events", "workpackages"},
    {"derive", "git"},
    {"store"},
    {"emit", "hub"},
    {"sync"},
    {"project"},
    {"observe"},
    {"api", "githooks", "workflow"},
    {"demo", "doctor"},
    {"cli", "hook"},
)
# What lanes mean, which whoever shows or delivers them knows as well; of the files that state them they know nothing.
_LANES = tuple(f"kittywatch.workpackages.{one}" for one in ("categories", "schemes", "stated"))
# A part of the package: what it doesn't know though it stands before it, and what it never imports of the rest.
NEVER: dict[str, tuple[set[str], set[str]]] = {
    "workpackages": (set(), {"sqlite3", "git", "yaml"} | _NETWORK | _PROCESSES | _TIME),
    "derive": ({"events", "home"}, {"sqlite3", "git"} | _FILES | _NETWORK | _PROCESSES | _TIME),
    "events": ({"home"}, {"sqlite3", "git", "pathlib"} | _NETWORK | _PROCESSES),
    "git": ({"events", "home"}, {"sqlite3", "git"} | _NETWORK),
    "store": ({"git"}, {"git"} | _NETWORK | _PROCESSES),
    "emit": ({"git", "home"}, {"git"} | _FILES | _NETWORK | _PROCESSES | _TIME),
    "hub": ({"derive", "git", "store", "workpackages"}, {"git", "watchdog"}),
    "sync": ({"derive", "git", "hub", "workpackages"}, {"sqlite3", "git"}),
    "project": ({"hub"}, {"sqlite3"} | _NETWORK | _PROCESSES),
    "observe": ({"hub"}, {"sqlite3"} | _NETWORK),
    "githooks": ({"hub"}, {"sqlite3"} | _NETWORK),
    "workflow": ({"events", "hub"}, {"sqlite3", "git"} | _NETWORK),
    "api": ({"hub"}, {"sqlite3"} | _NETWORK | _PROCESSES),
    "doctor": ({"hub"}, {"sqlite3"} | _PROCESSES),
    "errors": (set(), {"sqlite3"} | _PROCESSES | _NETWORK),
}
# What runs back up all the same, and why.
UPWARD: dict[str, set[str]] = {
    "__init__.py": {"api"},  # the public names, imported when they are asked for
    "sync/flusher.py": {"project"},  # a process of its own, which reports for the project that started it
}
# The only modules that may import something.
ONLY: dict[str, set[str]] = {
    "sqlite3": {"store", "emit", "hub"},
    "subprocess": {"git/repository.py", "githooks/stub.py", "workflow", "hub", "cli", "sync", "demo"},
    "click": {"cli"},
    "rich": {"cli"},
    "watchdog": {"observe"},
    "ruamel": {"sync/identity.py", "workpackages"},
    "httpx": {"sync/http.py"},
}


def _modules() -> Iterator[tuple[str, Path]]:
    """Every module with its path below the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), path


def _part(place: str) -> str:
    return place.split("/")[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    """The full names of what a module imports anywhere, but for what only a type checker sees."""
    tree = ast.parse(path.read_text("utf-8"))
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _parts_of(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("kittywatch.") and name.count(".")}


@pytest.mark.parametrize(("place", "path"), list(_modules()))
def test_imports_point_inward(place: str, path: Path) -> None:
    names = _imported(path)
    top = {name.split(".")[0] for name in names}
    part = _part(place)
    if part in ("events", "hub", "sync"):
        names = {name for name in names if not name.startswith(_LANES)}
    ours, others = NEVER.get(part, (set(), set()))
    inward = {part, "__version__"}.union(*itertools.takewhile(lambda layer: part not in layer, LAYERS))
    if part != "__init__":
        assert part in set().union(*LAYERS), "a part of the package has a place among the layers"
    assert _parts_of(names) - UPWARD.get(place, set()) <= (inward if part != "__init__" else set()) - ours
    assert not top & others
    for module, homes in ONLY.items():
        if module in top:
            assert place in homes or _part(place) in homes, f"only {sorted(homes)} import {module}"


def test_no_imports_go_in_circles() -> None:
    """The package's own module is left out: what it gives is made without importing anything."""
    modules = {f"kittywatch.{place.removesuffix('.py').replace('/', '.')}": path for place, path in _modules()}
    graph = {
        name: {one if one in modules else one.rpartition(".")[0] for one in _imported(path)} & modules.keys()
        for name, path in modules.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def test_one_module_asks_git_and_one_tells_it() -> None:
    starting = [
        place
        for place, path in _modules()
        if any(
            isinstance(node, ast.List)
            and node.elts
            and isinstance(node.elts[0], ast.Constant)
            and node.elts[0].value == "git"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    ]
    works_with_git = "demo/"  # plays the people and the agents
    left = [place for place in starting if not place.startswith(works_with_git)]
    assert left == ["git/repository.py", "workflow/checkout.py"]  # the one that asks, and the one that changes


def test_sql_is_in_the_store_alone() -> None:
    words = ("SELECT ", "INSERT ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ")
    with_sql = [
        place
        for place, path in _modules()
        if any(
            isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(words)
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    ]
    assert with_sql
    assert {_part(place) for place in with_sql} <= {"store", "hub"}


def _loaded(program: str, directory: Path) -> set[str]:
    """The modules that a process has loaded when its program is through, packages and all above them."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    listing = "import sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{listing}"],
        cwd=directory,
        env={**unmeasured, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an identity, as it is after the first command."""
    root = tmp_path / "project"
    (root / ".kittify").mkdir(parents=True)
    (root / ".kittify" / "config.yaml").write_text(
        'project:\n  uuid: "7a4e4b0e-52a6-4c0a-9d7e-0d5f3b1c2a10"\n  slug: shop\n  node_id: "0123456789ab"\n'
    )
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def test_the_package_alone_loads_nothing_of_it(project: Path) -> None:
    bare = _loaded("", project)
    assert {name for name in _loaded("import kittywatch", project) - bare if name.startswith("kittywatch")} == {
        "kittywatch"
    }


@pytest.mark.parametrize(
    "program",
    [
        "from kittywatch import emit_wp_status_changed as emit\n"
        "assert emit('WP01', 'planned', 'doing', feature_slug='001-login')",
        "from pathlib import Path\n"
        "from kittywatch.observe.observation import observe\n"
        "from kittywatch.project import Project\n"
        "observe(Project.find(Path.cwd(), print), 'post-commit', worktree=False, hook='post-commit')",
        "from pathlib import Path\n"
        "from kittywatch.project import Project\n"
        "from kittywatch.sync.flusher import hand_over\n"
        "project = Project.find(Path.cwd(), print)\n"
        "assert project.emitter.emit_wp_status_changed('WP01', 'planned', 'doing', feature_slug='001-login')\n"
        "assert not hand_over(project)",
    ],
    ids=["emission", "observation", "hand-over"],
)
def test_an_emission_loads_only_what_it_needs(project: Path, program: str) -> None:
    loaded = _loaded(program, project)
    assert "kittywatch.emit.emitter" in loaded
    assert not {name for name in HEAVY if name in loaded}
    assert not {name for name in loaded if name.startswith(("kittywatch.cli", "kittywatch.hub"))}
