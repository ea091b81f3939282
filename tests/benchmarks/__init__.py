"""What kittywatch costs, beside what the same work costs without it: `python -m tests.benchmarks`."""
