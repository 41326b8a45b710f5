"""Simulations that show what the statistics promise."""
