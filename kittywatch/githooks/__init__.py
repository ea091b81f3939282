"""Git hooks: installing them beside whatever is there, and the entry point of an installed one."""
