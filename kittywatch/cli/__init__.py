"""Commands: parsing, printing, exit codes. The rules are elsewhere."""
