"""One stream on several cards, each a process (a rank) that computes a part of every chunk."""
