"""The workflow: which moves are allowed, and carrying them out in the files. Edits and never emits."""
