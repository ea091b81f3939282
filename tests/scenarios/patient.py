"""kittywatch, to which a file that is being written has settled after ten times as long as usual.

So that the tests of what is saved within that time don't depend on how soon a loaded machine lets them save.
"""

from __future__ import annotations

from kittywatch.cli.main import main
from kittywatch.observe import watcher, worktree

if __name__ == "__main__":
    watcher.SETTLED = worktree.SETTLED = 10 * worktree.SETTLED  # type: ignore[attr-defined]
    main()
