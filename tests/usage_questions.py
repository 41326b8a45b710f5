"""Questions to the read API."""

PATH = "/api/v1/prompts/analytics"


PROMPT = "123e4567-e89b-12d3-a456-426614174000"
