"""Git hooks: installed beside whatever is there, and what an installed one runs."""
