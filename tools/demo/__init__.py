"""The demo: a clip of our own, restyled live and played through five looks; and the pictures made from it."""
