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
