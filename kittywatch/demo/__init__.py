"""The demonstration: a scratch project with hub, watcher, hooks and agents, all of them real processes."""
