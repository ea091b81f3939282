"""The hub: the server that events are delivered to, and its live board."""
