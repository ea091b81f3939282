"""Ways to keep the start of a process short: a hook is somebody's commit."""
