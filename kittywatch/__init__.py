"""kittywatch: what happens to work packages in a git project becomes events, exactly one each, delivered."""

__version__ = "0.1.0"
