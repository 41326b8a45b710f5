"""`make chaos`: kills, cuts and starves the real processes under load, and proves that a 204 was never a lie."""
