"""A running show: what it is composed of, what it keeps, and what it tells of itself."""
