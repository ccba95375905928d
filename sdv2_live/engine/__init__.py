"""The streaming engine: encode, denoise, decode over one explicit state."""
