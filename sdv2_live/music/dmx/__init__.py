"""Light desks: their packets, what several of them say together, and the channels on which they play. No sockets here."""
