"""The models: pure modules whose weights are their only state."""
