"""The checkpoints: which files a profile needs, where they come from, fetching and checking them."""
