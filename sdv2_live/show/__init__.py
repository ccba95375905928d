"""A running show: its composition, its saved state, and its status."""
