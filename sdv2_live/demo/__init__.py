"""The demo: a show with everything that it consists of, on this machine alone."""
