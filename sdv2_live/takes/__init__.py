"""Takes: a live performance written down so that it can be painted again, picture for picture."""
