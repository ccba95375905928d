"""NDI: sources and sinks over the NDI SDK's own library."""
