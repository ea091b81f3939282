"""Where snapshots come from: git views, worktrees, replay, and when a view may be looked at."""
