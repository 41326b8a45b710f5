"""News: what is found, how it is said, signed and sent, and the webhooks, budgets and settings that people keep."""
