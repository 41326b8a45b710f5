"""The operator's commands, one file per subject; `python -m app` puts them together."""
