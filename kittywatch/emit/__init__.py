"""The one door to the store: what was derived, or is stated by hand, becomes events in one transaction (rule O8)."""
