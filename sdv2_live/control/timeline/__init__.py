"""Timelines: their files, Daydream Scope's files, and the transport that plays them."""
