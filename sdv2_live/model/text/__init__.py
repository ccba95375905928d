"""The text encoder: UMT5, its tokenizer, and its place in memory."""
