"""Every fault that can be found, each with one remedy: one module a topic, `checks` the table of them all."""
