"""Believable history for `python -m app demo`: what happened, the events of it, and their way to the service."""
