"""Charts: axes, lines, and what they show."""
