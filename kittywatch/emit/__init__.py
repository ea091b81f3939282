"""The one door to the store: what was derived, or is stated manually, becomes events in one transaction (rule O8)."""
