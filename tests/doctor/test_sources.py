"""What looks like a lane source and isn't read: the doctor says why."""

from __future__ import annotations

import pytest

from tests.doctor.conftest import Clinic
from tests.scenarios.neighbors import TOOLS


def test_what_is_read_is_in_order(clinic: Clinic) -> None:
    for tool in TOOLS:
        tool.save(clinic, A=0, B=1)
    clinic.commit("all of them")
    assert clinic.found() == []


@pytest.mark.parametrize(
    ("path", "text", "said", "remedy"),
    [
        (
            "backlog/tasks/task-1 - One.md",
            "---\nid: task-1\nstatus: Done\n---\n",
            "backlog/tasks: 1 file, but no backlog/config.yml",
            "`backlog init`",
        ),
        ("specs/001-a/tasks.md", "- [ ] without an id\n", "specs/001-a/tasks.md: no item of this list", "- [ ] T001"),
        ("openspec/changes/add-x/tasks.md", "nothing\n", "add-x/tasks.md: no item of this list has an id", "- [ ] 1.1"),
        (
            "planning/sprint-status.yaml",
            "a: b\n",
            "bmad is not looked for",
            "bmad: files:",
        ),
        ("tasks/tasks.json", '{"tasks": []}', "task-master is not looked for in this place", "task-master: files:"),
        ("app/backlog/config.yml", "project_name: x\n", "backlog.md is not looked for", "backlog.md: files:"),
    ],
)
def test_what_looks_like_one(clinic: Clinic, path: str, text: str, said: str, remedy: str) -> None:
    target = clinic.root / path
    target.parent.mkdir(parents=True)
    target.write_text(text)
    clinic.commit("looks like one")
    finding = clinic.not_mended("sources", said)
    assert remedy in finding["remedy"]


def test_what_is_turned_off_is_not_missed(clinic: Clinic) -> None:
    for tool in TOOLS:
        tool.save(clinic, A=0, B=1)
    (clinic.root / "backlog/config.yml").unlink()
    config = clinic.root / ".kittify" / "config.yaml"
    off = "".join(f"  {tool.name}: off\n" for tool in TOOLS)
    config.write_text(f"{config.read_text('utf-8')}sources:\n{off}", "utf-8")
    clinic.commit("all of them off")
    assert clinic.found() == []
