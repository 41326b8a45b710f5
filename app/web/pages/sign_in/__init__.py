"""Sign-in, one-time links, and the account."""
