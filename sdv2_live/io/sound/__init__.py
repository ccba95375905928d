"""Sound in: cards by PortAudio, and what this machine plays (loopback) by the system's sound server."""
