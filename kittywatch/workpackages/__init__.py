"""Work package files: frontmatter, lanes, trail, features. Knows neither git nor events."""
