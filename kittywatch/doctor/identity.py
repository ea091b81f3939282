"""The project's identity: missing, malformed, not committed, or another project's as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.errors import KittywatchError
from kittywatch.git.repository import Git
from kittywatch.project import Project
from kittywatch.store.projects import git_directories
from kittywatch.sync.identity import CONFIG, ProjectIdentity, config_from, identity_in, read_config
from kittywatch.yaml.values import PlainYamlError

_NEW = "remove the uuid of the one that was copied, and run `kittywatch init` there"


def check(examination: Examination) -> Iterator[Finding]:
    project = examination.project
    path = project.git.main_root / CONFIG
    try:
        found = identity_in(read_config(project.git.main_root))
    except PlainYamlError as error:
        yield Finding(
            f"{path}:{error.line}: {error.reason}",
            "mend it, or run `kittywatch init`, which keeps a copy and makes the identity anew",
        )
        return
    lacking = [name for name, value in _parts(found) if value is None]
    if lacking:
        what = f"{path} states no valid {', '.join(lacking)}" if path.exists() else f"{path} is missing"
        yield Finding(what, "run `kittywatch init`", lambda: _make(project))
        return
    yield from _uncommitted(project, found)


def _parts(found: ProjectIdentity) -> Iterator[tuple[str, str | None]]:
    yield "uuid", found.project_uuid
    yield "slug", found.project_slug
    yield "node_id", found.node_id


def _make(project: Project) -> str:
    restoring = Project(project.git, project.store, project.warn)
    restoring.restores = True
    made = restoring.identity
    return f"project {made.project_slug} is {made.project_uuid}"


def _uncommitted(project: Project, found: ProjectIdentity) -> Iterator[Finding]:
    """A clone without the file would make another project of it."""
    git = project.git if project.git.root == project.git.main_root else Git.find(project.git.main_root)
    path = git.root / CONFIG
    with closing(git.objects()) as objects:
        data = objects.read(f"HEAD:{CONFIG.as_posix()}")
    commit = f"`git add -f {CONFIG.as_posix()} && git commit -m 'Project identity'`"
    if data is None:
        yield Finding(f"{path} is not committed, so each clone would become a project of its own", commit)
        return
    try:
        committed = identity_in(config_from(data))
    except PlainYamlError:
        committed = ProjectIdentity(None, None, None)
    if committed.project_uuid != found.project_uuid:
        yield Finding(f"{path} has another uuid than the commit that is checked out", f"restore it, or {commit}")


def check_unique(examination: Examination) -> Iterator[Finding]:
    """Two projects with one uuid have one ledger: clones do so by right, but those have a commit in common."""
    store, git = examination.project.store, examination.project.git
    uuid = _uuid(git)
    if not store.exists or uuid is None:
        return
    places = store.read(lambda connection: git_directories(connection, uuid))
    roots = git.root_commits()
    seen = {git.common}
    for place in places:
        other = _repository(Path(place))
        if other is None or other.common in seen:
            continue
        seen.add(other.common)
        there = other.root_commits()
        if roots and there and not roots & there and _uuid(other) == uuid:
            yield Finding(f"{other.main_root} is another project with the same uuid, {uuid}", _NEW)


def _repository(directory: Path) -> Git | None:
    """The repository whose git directory this is, None where it is gone or belongs to somebody else."""
    try:
        link = directory / "gitdir"
        root = Path(link.read_text("utf-8").strip()).parent if link.is_file() else directory.parent
        return Git.find(root)
    except (KittywatchError, OSError, UnicodeDecodeError):
        return None


def _uuid(git: Git) -> str | None:
    try:
        return identity_in(read_config(git.main_root)).project_uuid
    except (PlainYamlError, OSError):
        return None
