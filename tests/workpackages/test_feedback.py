"""Which text of a work package is review feedback."""

from __future__ import annotations

import pytest

from kittywatch.workpackages.feedback import read_feedback

TEMPLATE = """## Review Feedback

> **Populated by `/spec-kitty.review`** – Reviewers add detailed feedback here.

*[This section is empty initially. Reviewers will populate it if the work is returned from review.]*

---

## Markdown Formatting
"""


@pytest.mark.parametrize(
    ("body", "feedback"),
    [
        ("", None),
        (TEMPLATE, None),
        ("## Review Feedback\n", None),
        ("## Review Feedback\n\n<!-- none\nyet -->\n", None),
        ("# WP\n\n## Review Feedback\n\nNames.\n\n### More\n\nTests.\n\n## Log\n", "Names.\n\n### More\n\nTests."),
        (TEMPLATE.replace("*[This", "Names.\n\n*[This"), "Names."),
        ("## Review Feedback\n\n```\n## no heading\n```\n\n## Log\n", "```\n## no heading\n```"),
        ("## Review Feedback\n\nlast", "last"),
        ("## Review Feedback: status\n\nnot the section", None),
        ("## Review Feedback\n\n" + "x" * 20_000, "x" * 10_000 + "…"),
    ],
)
def test_what_is_feedback(body: str, feedback: str | None) -> None:
    assert read_feedback(body) == feedback


@pytest.mark.parametrize(
    "placeholder",
    [
        "*(empty)*",
        "*[Empty initially.]*",
        "*[This section is empty initially.]*",
        "_[This section is empty initially. Reviewers will populate it if the work is returned.]_",
        "*[This section is empty initially. Reviewers will\npopulate it if the work is returned from review.]*",
        "*(No feedback yet -- this section will be populated if the WP is returned from review.)*",
        "*(Empty — no review feedback yet)*",
        "*None yet — this is the initial prompt.*",
        "_No review feedback yet._",
        "(empty)",
        "[none]",
        "**None**",
    ],
)
@pytest.mark.parametrize("quotation", ["", "> **Populated by `/spec-kitty.review`**\n\n", "> Populated by a review.\n"])
def test_a_placeholder_is_no_feedback(placeholder: str, quotation: str) -> None:
    """R7, with what the templates of several versions and the agents that fill them in write."""
    section = f"## Review Feedback\n\n{quotation}{placeholder}\n"
    assert read_feedback(f"{section}\n---\n\n## Log\n") is None
    assert read_feedback(f"{section}\nNames are missing.\n\n## Log\n") == "Names are missing."


@pytest.mark.parametrize(
    "said",
    [
        "None",
        "*None of the tests run.*",
        "*Empty names* are let through, *twice*",
        "*None.* See *there*",
        "(see the pull request)",
        "*(see the pull request)*",
        "[The list](https://example.invalid) is not empty.",
        "*Nothing is tested*",
        "*",
        "_",
    ],
)
def test_what_a_reviewer_says_is_feedback(said: str) -> None:
    assert read_feedback(f"## Review Feedback\n\n{said}\n\n## Log\n") == said
