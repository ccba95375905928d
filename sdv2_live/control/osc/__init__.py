"""OSC by UDP and TCP: packets to parameter changes, and values back to subscribers."""
