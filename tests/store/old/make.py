"""Make the archives in this directory; see README.md. Run with the code of the version before."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from kittywatch.observe.observation import observe
from kittywatch.observe.replay import Replay
from kittywatch.project import Project
from kittywatch.store.delivery import delivered

HERE = Path(__file__).parent
TASKS = "kitty-specs/001-login/tasks"


class Clone:
    """A clone that is worked in; its commits are an hour apart."""

    hours = 0

    def __init__(self, root: Path, source: Path | None = None) -> None:
        self.root = root
        if source is None:
            root.mkdir()
            self.git("init", "-q", "-b", "main")
            self.write(".gitignore", ".kittify/\n")
        else:
            subprocess.run(["git", "clone", "-q", str(source), str(root)], check=True)

    def git(self, *command: str) -> None:
        moment = f"2026-01-{1 + Clone.hours // 24:02}T{Clone.hours % 24:02}:00:00+00:00"
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in WHO.items()}
        dates = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment, "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", *command], cwd=self.root, env={**os.environ, **who, **dates}, check=True)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def move(self, wp_id: str, lane: str, *trail: str, needs: str = "[]", agent: str = "ada") -> None:
        fields = f'work_package_id: "{wp_id}"\ntitle: "Part {wp_id}"\nlane: "{lane}"\nagent: "{agent}"'
        log = "".join(f"- {line}\n" for line in trail)
        self.write(
            f"{TASKS}/{wp_id}.md", f"---\n{fields}\ndependencies: {needs}\n---\n\n# Part\n\n## Activity Log\n\n{log}"
        )

    def commit(self) -> None:
        Clone.hours += 1
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "work")

    def observe(self) -> None:
        project = self.project()
        observe(project, "scan")
        project.store.close()

    def project(self) -> Project:
        return Project.find(self.root, sys.exit)


WHO = {"NAME": "Ada", "EMAIL": "ada@example.invalid"}
STARTED = "2026-01-01T00:30:00Z – ada – lane=doing – Started"
HALF = "2026-01-01T03:30:00Z – ada – lane=for_review – Half of it"


def worked(root: Path) -> None:
    """All kinds of entries, a pending edit, others' work, broken contents; some of it delivered."""
    one = Clone(root / "project")
    one.move("WP01", "doing", STARTED)
    one.move("WP02", "planned", needs="[WP01]")
    one.commit()
    one.observe()  # the baseline
    for trail in ([STARTED], [STARTED, HALF]):
        one.move("WP01", "for_review", *trail)
        one.commit()
        one.observe()
    others = Clone(root / "others", one.root)
    others.move("WP02", "doing", needs="[WP01]", agent="bob")
    others.move("WP03", "doing")
    others.commit()
    one.git("remote", "add", "origin", str(others.root))
    one.git("fetch", "-q", "origin")
    one.git("merge", "-q", "--ff-only", "origin/main")
    one.observe()
    one.move("WP04", "nowhere")
    one.commit()
    one.observe()
    one.git("checkout", "-q", "-b", "topic")
    one.move("WP02", "for_review", needs="[WP01]", agent="rita")
    one.commit()
    one.observe()
    one.git("checkout", "-q", "main")
    one.git("merge", "-q", "--no-ff", "-m", "merged", "topic")
    one.observe()
    one.move("WP03", "for_review")
    one.observe()
    one.git("checkout", "-q", "--", ".")  # emitted as taken back
    one.observe()
    one.move("WP01", "done", STARTED, HALF)
    one.observe()  # pending
    project = one.project()
    project.store.transact(lambda connection: delivered(connection, _first_events(connection)))
    project.store.close()


def _first_events(connection: object) -> list[str]:
    rows = connection.execute("SELECT event_id FROM events ORDER BY seq LIMIT 3")  # type: ignore[attr-defined]
    return [row[0] for row in rows]


def replayed(root: Path) -> None:
    """A baseline, what came after it, then a replay of what was before it, and a manual emission."""
    one = Clone(root / "project")
    for lane in ("planned", "doing"):
        one.move("WP01", lane)
        one.commit()
    one.observe()
    one.move("WP01", "for_review")
    one.commit()
    one.observe()
    project = one.project()
    list(Replay(project.git, project.names, project.emitter).run("HEAD"))
    project.emitter.emit_wp_status_changed("WP01", "for_review", "done", feature_slug="001-login")
    project.store.close()


def clones(root: Path) -> None:
    """Two clones with one ledger: what was made in the first one and not looked at was pulled into the second one."""
    one = Clone(root / "project")
    one.write(".gitignore", "")
    one.move("WP01", "planned")
    one.commit()
    one.observe()
    one.commit()  # the project's identity, which both have then
    two = Clone(root / "second", one.root)
    two.observe()
    one.move("WP01", "doing")
    one.commit()
    two.git("pull", "-q", "--ff-only")
    two.observe()


def make(name: str, work: Callable[[Path], None]) -> None:
    """Let `work` happen in a new directory, and pack what the tests need of it."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        os.environ["SPEC_KITTY_HOME"] = str(root / "kitty")
        work(root)
        (root / "made-at.txt").write_text(directory)
        with tarfile.open(HERE / f"{name}.tar.xz", "w:xz") as archive:
            for part in ("made-at.txt", "kitty", "project", "second"):
                if (root / part).exists():
                    archive.add(root / part, part, filter=_wanted)


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "/.git/hooks" in member.name else member


if __name__ == "__main__":
    for work in (worked, replayed, clones):
        make(work.__name__, work)
