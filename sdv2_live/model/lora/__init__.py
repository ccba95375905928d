"""LoRA files: their layouts, their keys, and their scales on the linear layers of the DiT."""
