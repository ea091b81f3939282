"""A small history with every oddity of reading and deriving in it, made the same on every machine.

Each commit stands on a day of its own, at noon UTC unless it says otherwise; `expected.jsonl` beside this file says
what a replay of `main` must tell, written by hand from the contract.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.builders import record, work_package_text

SPECS = "kitty-specs"
_WHO = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.invalid",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.invalid",
}


class Repository:
    """A repository that is written to; what a commit was authored is its only clock."""

    def __init__(self, root: Path, *, fresh: bool = True) -> None:
        self.root = root
        if fresh:
            root.mkdir(parents=True)
            self.git("init", "-q", "-b", "main")

    def git(self, *command: str, moment: str = "2026-01-01T00:00:00+00:00") -> str:
        when = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *command], cwd=self.root, env=environment | _WHO | when, check=True, capture_output=True
        )
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, path: str, content: str | bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def link(self, path: str, target: str) -> None:
        where = self.root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.symlink_to(target)

    def commit(self, day: str, message: str = "Work", *, files: dict[str, str | bytes | None] | None = None) -> str:
        """Commit everything that is there, after writing `files` (None removes one); returns the commit's id."""
        for path, content in (files or {}).items():
            if content is None:
                (self.root / path).unlink()
            else:
                self.write(path, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, moment=moment(day))
        return self.git("rev-parse", "HEAD")


def moment(day: str) -> str:
    """`02-03` is noon UTC of that day of 2026; anything longer stands as it is."""
    return f"2026-{day}T12:00:00+00:00" if len(day) == 5 else day


def wp(feature: str, name: str) -> str:
    return f"{SPECS}/{feature}/tasks/{name}.md"


def text(wp_id: str | None, title: str, lane: str | None, *trail: str, agent: str | None = None, body: str = "") -> str:
    return work_package_text(wp_id=wp_id, title=title, lane=lane, trail=trail, agent=agent, body=body)


LOGIN, EXPORT, SEARCH, ODD, FOUND = "001-login", "002-export", "003-search", "004-oddities", "005-find"

TASKS = """\
# Tasks

## Work Package WP01: Set up
Nothing comes before it.

## Work Package WP02: Log in
**Depends on**: nothing but the set-up. Depends on WP01.

### WP03 – Log out
#### Dependencies
- WP01
- WP02
"""

SETUP = (
    record("2026-02-02T08:00:00Z", "planned", agent="planner", note="Prompt generated"),
    record("2026-02-03T09:00:00Z", "doing", shell_pid="4711", dash="-"),
    record("2026-02-04T10:00:00+02:00", "for_review", dash="—"),
    record("2026-02-05T10:00:00Z", "doing", agent="reviewer", note="Changes wanted"),
    record("2026-02-05T11:00:00Z", "for_review"),
    record("2026-02-05T12:00:00Z", "done", agent="reviewer"),
)

TEMPLATE = f"""\
Records look like this:

```
{record("2026-01-01T00:00:00Z", "doing")}
```

~~~~markdown
```
{record("2026-01-01T00:00:00Z", "done")}
~~~
{record("2026-01-01T00:00:00Z", "planned")}
~~~~

- an item
  {record("2026-01-01T00:00:00Z", "done", note="nested")}
{record("2026-01-01T00:00:00", "done", note="without a zone")}
"""

LINKED = (
    record("2026-02-24T09:00:00Z", "planned", agent="planner"),
    record("2026-02-25T09:00:00Z", "for_review"),
    record("2026-02-25T08:00:00Z", "doing", note="earlier than the record before it"),
)

FINDING = (
    record("2026-02-11T09:00:00Z", "planned", agent="planner"),
    record("2026-02-12T09:00:00Z", "doing"),
    record("2026-02-13T09:00:00Z", "for_review"),
)

SQUASHED = (
    record("2026-02-16T06:00:00Z", "planned", agent="planner"),
    record("2026-02-16T07:00:00Z", "in_progress", agent="codex", shell_pid="1"),
    record("2026-02-16T07:30:00Z", "doing", agent="codex", note="Still at it"),
    record("2026-02-16T08:00:00Z", "approved", agent="reviewer"),
    record("2026-02-16T09:00:00Z", "done", agent="reviewer"),
)


def build(root: Path) -> Repository:
    """The whole history; HEAD is `main`."""
    repository = Repository(root)
    _login(repository)
    _export(repository)
    _merges(repository)
    _errors(repository)
    _oddities(repository)
    _renames_and_reverts(repository)
    return repository


def _login(repository: Repository) -> None:
    commit = repository.commit
    commit("02-01", files={"README.md": "# A project\n"})
    meta = {"feature_number": "001", "target_branch": "release", "created_at": "2026-01-30T09:00:00+01:00"}
    commit(
        "02-02",
        files={
            f"{SPECS}/{LOGIN}/meta.json": json.dumps({"slug": "login", **meta}),
            f"{SPECS}/{LOGIN}/tasks.md": TASKS,
            wp(LOGIN, "README"): "# How to\n",
            wp(LOGIN, "WP01-setup"): text("WP01", "Set up", "planned", *SETUP[:1]),
            wp(LOGIN, "WP02-login"): "---\nlane: 'planned'\n---\n\n# Log in\n",
            wp(LOGIN, "WP03-logout"): text("WP03", "Log out", None),
        },
    )
    # An author's zone, a comment behind the lane, duplicate keys, a tab
    login = "---\nlane: planned\nagent: codex\t\nlane: doing  # not done\n---\n\n# Log in\n"
    commit("2026-02-03T12:00:00+05:30", files={wp(LOGIN, "WP02-login"): login})
    commit("02-04", files={wp(LOGIN, "WP01-setup"): text("WP01", "Set up", "for_review", *SETUP[:3])})
    # Another body with example records, another name: no transitions
    repository.git("mv", wp(LOGIN, "WP02-login"), wp(LOGIN, "WP02-log-in"))
    setup = text("WP01", "Set up", "for_review", *SETUP[:3], body=TEMPLATE)
    commit("02-05", files={wp(LOGIN, "WP01-setup"): setup})
    setup = text("WP01", "Set up", "done", *SETUP, body=TEMPLATE)
    commit("02-06", files={wp(LOGIN, "WP01-setup"): setup.replace("\n", "\r\n")})
    commit("02-07", files={wp(LOGIN, "WP03-logout"): b"\xef\xbb\xbf" + text("WP03", "Log out", "claimed").encode()})


def _export(repository: Repository) -> None:
    commit = repository.commit
    tasks = f"{SPECS}/{EXPORT}/tasks"
    json_trail = record("2026-02-07T10:00:00Z", "doing")
    commit(
        "02-08",
        files={
            f"{tasks}/planned/WP01-csv.md": text(None, "CSV", None),
            f"{tasks}/doing/phase-1/WP02-json.md": text(None, "JSON", None, json_trail),
        },
    )
    (repository.root / tasks / "doing").mkdir(exist_ok=True)
    repository.git("mv", f"{tasks}/planned/WP01-csv.md", f"{tasks}/doing/WP01-csv.md")
    commit("02-09")
    repository.git("rm", "-q", "-r", tasks)
    commit(
        "02-10",
        files={
            f"{tasks}/WP01-csv.md": text("WP01", "CSV", "doing"),
            f"{tasks}/WP02-json.md": text("WP02", "JSON", "doing", json_trail),
        },
    )


def _merges(repository: Repository) -> None:
    commit, git = repository.commit, repository.git
    git("checkout", "-q", "-b", "search")
    find, index = wp(SEARCH, "WP01-find"), wp(SEARCH, "WP02-index")
    commit(
        "02-11",
        files={
            find: text("WP01", "Find", "planned", *FINDING[:1]),
            index: text("WP02", "Index", "planned", agent="gemini"),
        },
    )
    commit(
        "02-12",
        files={
            find: text("WP01", "Find", "doing", *FINDING[:2]),
            index: text("WP02", "Index", "doing", agent="gemini"),
        },
    )
    commit(
        "02-13",
        files={
            find: text("WP01", "Find", "for_review", *FINDING),
            index: text("WP02", "Index", "done", agent="gemini"),
        },
    )
    git("checkout", "-q", "main")
    commit("02-14", files={wp(EXPORT, "WP01-csv"): text("WP01", "CSV", "for_review", agent="claude")})
    git("merge", "-q", "--no-ff", "-m", "Merge search", "search", moment=moment("02-15"))
    git("checkout", "-q", "-b", "sessions")
    sessions = wp(LOGIN, "WP04-sessions")
    commit("2026-02-16T07:00:00+00:00", files={sessions: text("WP04", "Sessions", "in_progress", *SQUASHED[:2])})
    commit("2026-02-16T09:00:00+00:00", files={sessions: text("WP04", "Sessions", "done", *SQUASHED)})
    git("checkout", "-q", "main")
    git("merge", "-q", "--squash", "sessions")
    commit("02-16")


def _errors(repository: Repository) -> None:
    commit = repository.commit
    login = wp(LOGIN, "WP02-log-in")
    commit("02-17", files={login: "---\nagent: codex\nlane: foo\n---\n\n# Log in\n"})
    commit("02-18", files={login: "---\nagent: codex\nlane: foo\n---\n\n# Log in, with more words\n"})
    commit("02-19", files={login: "---\nagent: codex\nlane: done\n---\n\n# Log in\n"})
    # Three files of one id: the first in byte order counts; then each of them goes, and the first comes back
    first, second, third = (wp(LOGIN, f"WP05-{name}") for name in ("a", "b", "é"))
    commit(
        "02-20",
        files={
            first: text("WP05", "Audit", "planned"),
            second: text("WP05", "Audit, again", "done"),
            third: text("WP05", "Audit, once more", "doing"),
        },
    )
    commit("02-21", files={first: None})
    commit("02-22", files={second: None, third: None})
    commit("02-23", files={first: text("WP05", "Audit", "for_review")})


def _oddities(repository: Repository) -> None:
    commit = repository.commit
    repository.link(wp(ODD, "WP06-in"), "WP01-target.md")
    repository.link(wp(ODD, "WP07-out"), "../../../../outside.md")
    repository.link(wp(ODD, "WP08-absolute"), "/etc/hostname")
    commit(
        "02-24",
        files={
            wp(ODD, "WP01-target"): text(None, "Target", "planned", *LINKED[:1]),
            wp(ODD, "WP02-latin"): b"---\nlane: doing\ntitle: caf\xe9\n---\n",
            wp(ODD, "WP03-unclosed"): "---\nlane: doing\n\n# No end\n",
            wp(ODD, "WP04-bare"): "# No frontmatter\n",
            wp(ODD, "WP05-tag"): "---\ntitle: x\nlane: !!python/name:os.system doing\n---\n",
            wp(ODD, "WP09-large"): text("WP09", "Large", "doing", body="x" * (1 << 20)),
            wp(ODD, "WP01-target/review-cycle-1"): text("WP01", "A review", "done"),
            wp(ODD, "WP01-target/WP11"): text("WP11", "Too deep", "done"),
        },
    )
    # Times that run backwards: one step. The link shows what its target shows
    commit(
        "02-25",
        files={
            wp(ODD, "WP01-target"): text(None, "Target", "doing", *LINKED, agent="codex"),
            wp(ODD, "WP03-unclosed"): text("WP03", "Closed now", "planned"),
        },
    )


def _renames_and_reverts(repository: Repository) -> None:
    commit, git = repository.commit, repository.git
    git("mv", f"{SPECS}/{SEARCH}", f"{SPECS}/{FOUND}")
    commit("02-26")
    logout, export = wp(LOGIN, "WP03-logout"), wp(EXPORT, "WP02-json")
    note = "- 2026-02-27T09:00:00Z – reviewer – Only a note"
    json_trail = record("2026-02-07T10:00:00Z", "doing")
    commit(
        "02-27",
        files={
            export: text("WP02", "JSON", "for_review", json_trail, note, agent="claude"),
            logout: text("WP03", "Log out", "in_review", agent="claude"),
        },
    )
    git("revert", "--no-edit", "HEAD", moment=moment("02-28"))
    # The same move twice at one moment, to the second
    for lane in ("done", "for_review", "done"):
        commit("03-01", files={wp(EXPORT, "WP01-csv"): text("WP01", "CSV", lane, agent="claude")})
    # A name that git quotes and that a feature's slug may not have
    commit("03-02", files={wp('006-größe "x"', "WP01-é\tü"): text("WP01", "Größe", "planned")})
    # The same lane under another name, and a record that names no lane
    trail = (record("2026-03-03T09:00:00Z", "doing"), record("2026-03-03T10:00:00Z", "foo"))
    commit("03-03", files={wp(LOGIN, "WP03-logout"): text("WP03", "Log out", "in_progress", agent="claude")})
    commit("03-04", files={wp(LOGIN, "WP03-logout"): text("WP03", "Log out", "done", *trail, agent="claude")})
    # Lane conflict in a merge, resolved to something that neither side says
    git("checkout", "-q", "-b", "conflict")
    target = wp(ODD, "WP03-unclosed")
    commit("03-05", files={target: text("WP03", "Closed now", "doing")})
    git("checkout", "-q", "main")
    commit("03-06", files={target: text("WP03", "Closed now", "for_review")})
    git("merge", "-q", "-s", "ours", "--no-commit", "conflict")
    commit("03-07", files={target: text("WP03", "Closed now", "done", agent="ada")})
