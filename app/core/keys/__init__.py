"""API keys: their form, finding a valid one fast, their life, and when they were used."""
