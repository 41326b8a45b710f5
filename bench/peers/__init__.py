"""Simpler ways to take the same events, each as small as it can be; measured beside ours."""
