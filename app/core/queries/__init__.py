"""SQL as constant text, one file per subject."""
