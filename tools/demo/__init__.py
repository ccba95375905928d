"""The demo: a clip of our own, restyled live and played through its looks; and the pictures made from it."""
