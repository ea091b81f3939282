"""From what was known and what is there now to told steps: pure functions, without files, SQL or time."""
