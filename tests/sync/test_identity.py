"""The project's identity: made once, kept for good, whatever the file and the repository look like."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.home import node_id
from kittywatch.observe.observation import observe
from kittywatch.project import Project
from kittywatch.sync.identity import (
    CONFIG,
    ProjectIdentity,
    Site,
    ensure_identity,
    identity_in,
    kebab,
    project_slug,
    read_config,
    repository_name,
)
from kittywatch.yaml.values import PlainYamlError

UUID = "550e8400-e29b-41d4-a716-446655440000"
OWN = ProjectIdentity(UUID, "my-project", "a1b2c3d4e5f6")
SECTION = f'project:\n  uuid: "{UUID}"\n  slug: my-project\n  node_id: a1b2c3d4e5f6\n'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A directory like a repository's, without a configuration."""
    root = tmp_path / "demo"
    (root / ".git").mkdir(parents=True)
    return Site(root, root / ".git")


def written(site: Site, content: str | bytes) -> Path:
    path = site.root / CONFIG
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def ensured(site: Site, **options: str) -> ProjectIdentity:
    """The identity; a warning fails the test."""
    warnings: list[str] = []
    found = ensure_identity(site, warnings.append, **options)  # type: ignore[arg-type]
    assert warnings == []
    return found


def copies(site: Site) -> list[Path]:
    return [path for path in (site.root / CONFIG).parent.iterdir() if path.name != CONFIG.name]


def git(root: Path, *command: str) -> None:
    subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


# Making one


def test_a_new_identity(site: Site) -> None:
    """A UUID4, the directory's name, the machine at hand; in a file that can be read again."""
    made = ensured(site)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made.project_uuid or "")
    assert (made.project_slug, made.node_id) == ("demo", node_id())
    assert identity_in(read_config(site.root)) == made
    assert (site.root / CONFIG).read_text(encoding="utf-8") == (
        f'project:\n  uuid: "{made.project_uuid}"\n  slug: demo\n  node_id: "{made.node_id}"\n'
    )
    assert copies(site) == []


def test_it_is_made_once(site: Site) -> None:
    made = ensured(site)
    before = (site.root / CONFIG).stat().st_mtime_ns
    assert ensured(site) == made
    assert (site.root / CONFIG).stat().st_mtime_ns == before


def test_two_projects_have_two_identities(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
        found.append(ensured(Site(tmp_path / name, tmp_path / name / ".git")).project_uuid)
    assert len(set(found)) == 2


def test_processes_at_once(site: Site) -> None:
    """The first write wins, the others read it."""
    program = (
        "import sys; from pathlib import Path; from kittywatch.sync.identity import Site, ensure_identity;"
        "site = Site(Path(sys.argv[1]), Path(sys.argv[2])); print('ready', flush=True); sys.stdin.readline();"
        "print(ensure_identity(site, lambda text: sys.exit(text)).project_uuid)"
    )
    command = [sys.executable, "-c", program, str(site.root), str(site.lock_directory)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(4)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
    found = {process.communicate()[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert found == {identity_in(read_config(site.root)).project_uuid}


# What is there already


def test_a_complete_identity_is_read(site: Site) -> None:
    """The node id in the file is the machine that made it, and stays."""
    written(site, SECTION)
    assert ensured(site) == OWN
    assert OWN.complete


@pytest.mark.parametrize("uuid", [UUID.upper(), f"  {UUID}  ", UUID.replace("a716", "A716")])
def test_a_uuid_in_other_letters_is_the_same(site: Site, uuid: str) -> None:
    path = written(site, SECTION.replace(UUID, uuid))
    before = path.read_bytes()
    assert ensured(site) == OWN
    assert path.read_bytes() == before


@pytest.mark.parametrize("missing", ["uuid", "slug", "node_id"])
def test_what_is_missing_is_completed(site: Site, missing: str) -> None:
    """Only that; the lines of the others stay as they are."""
    lines = [line for line in SECTION.splitlines() if missing not in line]
    path = written(site, "\n".join(lines) + "\n")
    made = ensured(site)
    assert made.complete
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if missing not in line] == lines
    kept = {"uuid": made.project_uuid == UUID, "slug": made.project_slug == "my-project"}
    assert all(value for key, value in kept.items() if key != missing)


@pytest.mark.parametrize("uuid", ["not-a-uuid", "", UUID.replace("-41d4-", "-11d4-"), UUID[:-1], "[x]", "~"])
def test_what_is_no_uuid4_counts_as_missing(site: Site, uuid: str) -> None:
    written(site, SECTION.replace(f'"{UUID}"', uuid))
    assert ensured(site).project_uuid not in (UUID, uuid)


EVERYTHING = """\
# The project's own file
%lines%
tools:   # several
    - name: "one"   # quoted
      options: {a: 1, b: [x, y]}
    - name: 'two'

lanes:
    aliases:
        wip: doing
text: |
    kept
      as it is
sync:
    auto_start: true
# the end
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_without_a_project_stays_byte_for_byte(site: Site, newline: str) -> None:
    """Comments, order, unknown keys, quotes, indentation, line ends: the identity comes after them."""
    before = EVERYTHING.replace("%lines%\n", "").replace("\n", newline).encode()
    path = written(site, before)
    made = ensured(site)
    after = path.read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].startswith(b"project:" + newline.encode())
    assert after.count(b"\n") == after.count(newline.encode())
    assert identity_in(read_config(site.root)) == made


@pytest.mark.parametrize("content", ["# only a comment\n", "# no line end", "\n\n", "\ufeff# BOM\n"])
def test_a_file_without_fields_keeps_its_comments(site: Site, content: str) -> None:
    path = written(site, content)
    made = ensured(site)
    assert path.read_text(encoding="utf-8-sig").startswith(content.removeprefix("\ufeff"))
    assert identity_in(read_config(site.root)) == made


def test_an_incomplete_project_among_other_keys(site: Site) -> None:
    """The rest of the file stays line by line, in its place."""
    own = "project:   # ours\n    slug: mine  # chosen\n    more: 'x'"
    before = EVERYTHING.replace("%lines%", own)
    path = written(site, before)
    made = ensured(site)
    assert made.project_slug == "mine"
    after = path.read_text(encoding="utf-8").splitlines()
    words = [line.strip() for line in before.splitlines()]
    assert [line.strip() for line in after if "uuid" not in line and "node_id" not in line] == words
    assert identity_in(read_config(site.root)) == made


@pytest.mark.parametrize("project", ["project:", "project: {}", "project: ~"])
def test_an_empty_project_is_filled(site: Site, project: str) -> None:
    path = written(site, f"first: 1\n{project}\nlast: 2\n")
    made = ensured(site)
    assert identity_in(read_config(site.root)) == made
    assert read_config(site.root)["first"] == "1"
    assert read_config(site.root)["last"] == "2"
    assert copies(site) == []
    assert path.read_text(encoding="utf-8").startswith("first: 1\nproject:")


def test_a_mapping_in_braces(site: Site) -> None:
    written(site, "{a: 1, b: [2]}\n")
    made = ensured(site)
    assert identity_in(read_config(site.root)) == made
    assert read_config(site.root)["a"] == "1"


def test_the_mode_of_the_file_stays(site: Site) -> None:
    path = written(site, "a: 1\n")
    path.chmod(0o640)
    ensured(site)
    assert path.stat().st_mode & 0o777 == 0o640


# What cannot be read


@pytest.mark.parametrize(
    "content",
    [
        b"project: [unclosed\n",
        b"\tproject: x\n",
        b"just text\n",
        b"- a\n- list\n",
        b"project: text\nother: kept\n",
        b"project:\n  - a\n",
        b"a: \xff\xfe\n",
        b"a: \x00\n",
        b"a: 1\n" + b"#" * (1 << 20),
        b"a: b\n---\nc: d\n",
    ],
)
def test_a_malformed_file_is_kept_in_a_copy(site: Site, content: bytes) -> None:
    """A warning that names file, line and copy; the identity is made anew, every byte is still there."""
    written(site, content)
    warnings: list[str] = []
    made = ensure_identity(site, warnings.append)
    (copy,) = copies(site)
    assert copy.read_bytes() == content
    assert made.complete
    assert identity_in(read_config(site.root)) == made
    (warning,) = warnings
    assert re.search(r"config\.yaml:[1-9][0-9]*: ", warning)
    assert copy.name in warning
    assert ensure_identity(site, warnings.append) == made
    assert len(warnings) == 1


@pytest.mark.parametrize(
    "rest", ["base: &base [x]\nother: *base\n", "tagged: !custom {a: b}\n", "a: &x {b: c}\nd:\n  <<: *x\n"]
)
def test_anchors_and_tags_of_others_cost_nobody_the_identity(site: Site, rest: str) -> None:
    """YAML that nothing here reads: the uuid is the project's all the same, and the file stays."""
    path = written(site, rest + SECTION)
    assert ensured(site) == OWN
    assert path.read_text(encoding="utf-8") == rest + SECTION
    assert copies(site) == []


def test_anchors_beside_no_identity(site: Site) -> None:
    """Completed with a warning, and a copy to be sure; then all is well."""
    rest = "base: &base [x]\nother: *base\n"
    path = written(site, rest)
    warnings: list[str] = []
    made = ensure_identity(site, warnings.append)
    assert len(warnings) == 1
    assert "&base" in path.read_text(encoding="utf-8")
    assert "*base" in path.read_text(encoding="utf-8")
    assert ensured(site) == made


def test_reading_says_where_it_fails(site: Site) -> None:
    written(site, "a: 1\nb: *x\n")
    with pytest.raises(PlainYamlError) as caught:
        read_config(site.root)
    assert caught.value.line == 2


def test_hostile_content_takes_no_longer_than_its_length(site: Site) -> None:
    written(site, "\n" * 900_000 + "#")
    assert read_config(site.root) == {}


# Where nothing can be written


def test_kittify_is_a_file(site: Site) -> None:
    """Identity in memory, without a uuid that nobody could ever find again; one warning."""
    (site.root / ".kittify").write_text("mine", encoding="utf-8")
    warnings: list[str] = []
    assert ensure_identity(site, warnings.append) == ProjectIdentity(None, "demo", None)
    assert len(warnings) == 1
    assert "wait in the queue" in warnings[0]
    assert (site.root / ".kittify").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_read_only_checkout(site: Site) -> None:
    """The same in a checkout that may not be written; root's process gives up its power to ignore that."""
    written(site, "a: 1\n")
    program = (
        "import sys; from pathlib import Path; from kittywatch.sync.identity import Site, ensure_identity;"
        "site = Site(Path(sys.argv[1]), Path(sys.argv[2]));"
        "print(ensure_identity(site, lambda text: print(text, file=sys.stderr)).project_uuid)"
    )
    command = [sys.executable, "-c", program, str(site.root), str(site.lock_directory)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root, and no setpriv to be less")
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]
    directory = (site.root / CONFIG).parent
    directory.chmod(0o555)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        directory.chmod(0o755)
    assert done.stdout == "None\n"
    assert done.stderr.count("\n") == 1
    assert "wait in the queue" in done.stderr
    assert (site.root / CONFIG).read_text(encoding="utf-8") == "a: 1\n"
    assert copies(site) == []


# The slug


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/org/My_Repo.git", "My_Repo"),
        ("https://github.com/org/repo/", "repo"),
        ("https://user:secret@host.example/org/repo.git?x=1", "repo"),
        ("ssh://git@host.example:2222/org/repo.git", "repo"),
        ("git@github.com:org/repo.git", "repo"),
        ("host:repo.git", "repo"),
        ("file:///srv/git/repo.git/", "repo"),
        ("/srv/git/repo", "repo"),
        ("../repo.git", "repo"),
        ("C:\\Users\\me\\My Repo.git", "My Repo"),
        ("\\\\server\\share\\repo", "repo"),
        ("C:/git/repo.git", "repo"),
        ("https://host.example/größe.git", "größe"),
        ("", None),
        ("/", None),
        (".git", None),
    ],
)
def test_repository_name(url: str, name: str | None) -> None:
    assert repository_name(url) == name


@pytest.mark.parametrize("url", ["https://user:secret@host.example", "https://secret@host.example/"])
def test_a_password_never_becomes_a_name(url: str) -> None:
    assert "secret" not in (repository_name(url) or "")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My_Project 2", "my-project-2"),
        ("myProject", "my-project"),
        ("--a..b--", "a-b"),
        ("Größe", "größe"),
        ("Gro\u0308ße", "größe"),
        ("猫の番", "猫の番"),
        ("🐱", ""),
        ("", ""),
    ],
)
def test_kebab(name: str, slug: str) -> None:
    assert kebab(name) == slug


@pytest.mark.parametrize(
    ("directory", "url", "slug"),
    [
        ("work copy", "git@host:org/The_Real_Name.git", "the-real-name"),
        ("work copy", None, "work-copy"),
        ("größe 猫", None, "größe-猫"),
        ("work copy", "https://host/🐱.git", "work-copy"),
        ("🐱", None, "project"),
    ],
)
def test_project_slug(tmp_path: Path, directory: str, url: str | None, slug: str) -> None:
    """The name of origin's repository, else the directory's."""
    assert project_slug(Site(tmp_path / directory, tmp_path, url)) == slug


# In real repositories


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "größe 猫"
    (root / "sub" / "directory").mkdir(parents=True)
    (root / "sub" / "directory" / "file").write_text("x", encoding="utf-8")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


def found(directory: Path, *, restores: bool = False) -> ProjectIdentity:
    """The identity as a command started in a directory finds it; a warning fails the test."""
    warnings: list[str] = []
    project = Project.find(directory, warnings.append)
    project.restores = restores
    try:
        identity = project.identity
    finally:
        project.store.close()
    assert warnings == []
    return identity


def test_from_a_subdirectory(repository: Path) -> None:
    """One file, at the top."""
    identity = found(repository / "sub" / "directory")
    assert identity.project_slug == "größe-猫"
    assert identity_in(read_config(repository)) == identity == found(repository)


def test_from_a_linked_worktree(repository: Path, tmp_path: Path) -> None:
    """The main worktree's identity, made there, whoever comes first; the linked one gets no file."""
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    identity = found(tmp_path / "linked")
    assert identity_in(read_config(repository)) == identity == found(repository)
    assert not (tmp_path / "linked" / CONFIG).exists()


def test_a_linked_worktrees_own_file_does_not_count(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    identity = found(repository)
    (tmp_path / "linked" / CONFIG).parent.mkdir()
    (tmp_path / "linked" / CONFIG).write_text(SECTION, encoding="utf-8")
    assert found(tmp_path / "linked") == identity != OWN


def test_with_an_origin(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "git@host:org/The_Name.git")
    assert found(repository).project_slug == "the-name"


def test_a_clone_keeps_the_identity_and_not_the_node(repository: Path, tmp_path: Path) -> None:
    """The file is usually committed; events carry the node id of the machine at hand."""
    (repository / CONFIG).parent.mkdir()
    (repository / CONFIG).write_text(SECTION, encoding="utf-8")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "identity")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    project = Project.find(clone, pytest.fail)
    assert project.identity == OWN
    assert project.emitter.context.node_id == node_id() != OWN.node_id
    project.store.close()


def test_a_branch_without_the_file(repository: Path) -> None:
    """The project stays the one that was observed; no file stands in the way of the next checkout; `init` makes one."""
    git(repository, "branch", "old")
    identity = found(repository)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "identity")
    project = Project.find(repository, pytest.fail)
    observe(project, "scan")
    project.store.close()
    git(repository, "checkout", "-q", "old")
    assert found(repository).project_uuid == identity.project_uuid
    assert not (repository / CONFIG).exists()
    git(repository, "checkout", "-q", "-")
    assert found(repository) == identity
    git(repository, "checkout", "-q", "old")
    assert found(repository, restores=True).project_uuid == identity.project_uuid
    assert identity_in(read_config(repository)).project_uuid == identity.project_uuid
