"""Video in and out: sources, sinks, and the clocks between them and the engine."""
