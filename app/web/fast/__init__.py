"""Speed patches: each does what a library does, sooner; FAST_PATHS=off switches all of them off."""
