"""The documents of docs/ as pages."""
