"""Short prompts made long by a language model."""
