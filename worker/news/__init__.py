"""The worker's part of the news: looking for it, and delivering it."""
