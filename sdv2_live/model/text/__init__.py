"""The text encoder: UMT5, its tokenizer, and where it runs."""
