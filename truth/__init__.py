"""`make truth`: what the product would have said of versions whose true difference is known, and how often wrongly."""
