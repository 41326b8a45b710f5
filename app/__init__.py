"""Prompt Analytics: a self-hosted service for prompt usage analytics."""
