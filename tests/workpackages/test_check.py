"""What is found before a commit: with file and line, and nothing of the content."""

from __future__ import annotations

from kittywatch.workpackages.check import check_feature
from kittywatch.workpackages.lanes import LaneNames

HERE = "kitty-specs/001-login/tasks"


def _text(lane: str = "planned", needs: str | None = None, more: str = "") -> bytes:
    stated = f"dependencies: {needs}\n" if needs is not None else ""
    return f"---\ntitle: Work\nlane: {lane}\n{stated}{more}---\n\nText.\nlane: not here\n".encode()


def _found(tasks: bytes | None = None, **files: bytes) -> list[str]:
    named = {f"{HERE}/{name}.md": data for name, data in files.items()}
    found = [str(one).removeprefix(f"{HERE}/") for one in check_feature(named, tasks, LaneNames())]
    assert not any("secret" in one for one in found)
    return found


def test_nothing_to_find() -> None:
    assert _found(WP01=_text(), WP02=_text("doing", "[WP01]"), WP03=_text("done", "[WP01, WP02]")) == []


def test_unreadable() -> None:
    assert _found(WP01=b"secret") == ["WP01.md:1: there is no frontmatter: the file must begin with a line ---"]
    assert _found(WP01=b"---\nlane: [secret\n---\n")[0].startswith("WP01.md:3: ")


def test_invalid_lane() -> None:
    assert _found(WP01=_text("secret")) == ["WP01.md:3: the lane is none of planned, doing, for_review, done"]


def test_id_twice() -> None:
    found = _found(**{"WP01-a": _text(), "WP01-b": _text()})
    assert found == [f"WP01-b.md:1: WP01 is already the id of {HERE}/WP01-a.md, which counts"]


def test_field_twice() -> None:
    assert _found(WP01=_text(more="agent: a\nlane: doing\n")) == ["WP01.md:5: the field lane is there twice"]


def test_missing_dependency() -> None:
    found = _found(WP01=_text(), WP02=_text(needs="[WP01, WP07]"))
    assert found == ["WP02.md:4: WP02 depends on WP07, which is not in this feature"]


def test_missing_dependency_of_tasks_md() -> None:
    tasks = b"# Tasks\n\n## Work Package WP01: X\n\nDepends on WP05\n"
    assert _found(tasks, WP01=_text()) == ["WP01.md:1: WP01 depends on WP05, which is not in this feature"]


def test_circles_each_once() -> None:
    found = _found(
        WP01=_text(needs="[WP02]"),
        WP02=_text(needs="[WP03]"),
        WP03=_text(needs="[WP01]"),
        WP04=_text(needs="[WP05, WP01]"),
        WP05=_text(needs="[WP04]"),
    )
    assert found == [
        "WP01.md:4: dependencies go in a circle: WP01 → WP02 → WP03 → WP01",
        "WP04.md:4: dependencies go in a circle: WP04 → WP05 → WP04",
    ]


def test_a_diamond_is_no_circle() -> None:
    found = _found(
        WP01=_text(), WP02=_text(needs="[WP01]"), WP03=_text(needs="[WP01]"), WP04=_text(needs="[WP02, WP03]")
    )
    assert found == []
