"""Reading YAML strictly: data and nothing else, as text."""
