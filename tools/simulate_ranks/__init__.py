"""A ring of cards, event by event: how many frames a second, and how late, by the times of its stages and links."""
