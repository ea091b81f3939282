"""Markdown of work packages for tests, written the way that people and agents write them."""

from __future__ import annotations

from collections.abc import Sequence

FEATURE = "001-login"
PATH = f"kitty-specs/{FEATURE}/tasks/WP01-build.md"


def record(
    moment: str,
    lane: str,
    *,
    agent: str = "claude",
    shell_pid: str | None = None,
    note: str = "Moved",
    dash: str = "–",
) -> str:
    """One line of a trail."""
    between = "" if shell_pid is None else f"shell_pid={shell_pid} {dash} "
    return f"- {moment} {dash} {agent} {dash} {between}lane={lane} {dash} {note}"


def work_package_text(
    *,
    lane: str | None = "planned",
    trail: Sequence[str] = (),
    wp_id: str | None = "WP01",
    title: str | None = "Build it",
    agent: str | None = None,
    dependencies: str | None = None,
    extra: Sequence[str] = (),
    body: str = "",
) -> str:
    """A whole file; None leaves a field out, `extra` are more lines of frontmatter."""
    fields = [("work_package_id", wp_id), ("title", title), ("lane", lane), ("agent", agent)]
    lines = ["---"]
    lines += [f'{name}: "{value}"' for name, value in fields if value is not None]
    lines += [f"dependencies: {dependencies}"] if dependencies is not None else []
    lines += [*extra, "---", "", f"# {title}", ""]
    lines += [body, ""] if body else []
    lines += ["## Activity Log", "", *trail]
    return "\n".join(lines) + "\n"
