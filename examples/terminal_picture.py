"""Draw what `kittywatch demo` prints as a picture of a terminal.

python examples/terminal_picture.py examples/demo.svg
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

_COLUMNS = 108
_LEFT_OUT = ("$ git add", "$ git commit -m A project", "$ git init")


def main() -> None:
    command = [sys.executable, "-P", "-m", "kittywatch.cli.main", "demo", "--headless"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ kittywatch demo", style="bold"))
    for line in done.stdout.splitlines()[1:]:
        if not line.startswith(_LEFT_OUT):
            console.print(_styled(line), no_wrap=True, overflow="crop")
    Path(sys.argv[1]).write_text(console.export_svg(title="kittywatch demo"), encoding="utf-8")


def _styled(line: str) -> Text:
    text = Text(line)
    if line.startswith("$ "):
        text.stylize("cyan")
    elif " at the hub" in line:
        text.stylize("bold green")
    text.highlight_regex(r"planned|doing|for_review|done(?= +by)", "yellow")
    text.highlight_regex(r"\[Connected\]", "green")
    return text


if __name__ == "__main__":
    main()
