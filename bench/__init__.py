"""`make bench`: how fast the service is, measured beside simpler ways to do the same on the same machine."""
