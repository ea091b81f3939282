"""What looks like a lane source and isn't read."""

from __future__ import annotations

from collections.abc import Iterator

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.observe.found import unread
from kittywatch.observe.shown import shown_now


def check(examination: Examination) -> Iterator[Finding]:
    project = examination.project
    for one in unread(project.git, shown_now(project)):
        yield Finding(one.what, one.remedy)
