"""The module that hooks name which version 0.1 installed; they run it until `kittywatch hooks install` updates them.

A hook is a file of the user's: what it calls stays callable.
"""

from kittywatch.githooks.entry import main

__all__ = ["main"]
