"""The prompts of an orchestration's agents: their standard input, and the {prompt} of their command lines."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Briefing(Struct, frozen=True):
    """The values of a prompt; `feedback` is the text of the last review, empty without one."""

    feature: str
    wp_id: str
    file: Path
    branch: str
    target: str
    feedback_file: Path
    feedback: str = ""


def implementation_prompt(briefing: Briefing) -> str:
    """Prompt of the agent that implements."""
    said = f"""\
Implement the work package {briefing.wp_id} of the feature {briefing.feature}.

It is described in {briefing.file}
Work in the current directory, a git worktree on the branch {briefing.branch}, and commit what you make.
Leave the files under kitty-specs/*/tasks alone: lanes are moved for you, and changes there are taken back.
End with exit code 0 when it is done, with another one when it cannot be done.
"""
    return f"{said}\nA review asks for changes:\n\n{briefing.feedback}\n" if briefing.feedback else said


def review_prompt(briefing: Briefing) -> str:
    """Prompt of the agent that reviews."""
    return f"""\
Review the work package {briefing.wp_id} of the feature {briefing.feature}.

It is described in {briefing.file}
The current directory is a git worktree on its branch {briefing.branch}.
`git diff {briefing.target}...HEAD` shows the work.
If something has to change, write what into the file {briefing.feedback_file}
End with exit code 0 when you have reviewed it, whatever you found; with another one when you couldn't.
"""
