"""The workflow: the moves that are allowed, and carrying them out in the files. Edits and never emits."""
