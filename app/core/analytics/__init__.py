"""What the read API and the pages answer from the rollups; web alone reads it."""
