"""Everything in examples/ is run, or checked by whoever will read it."""
