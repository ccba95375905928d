"""The HTTP port that every page shares: connections, refusal of foreign requests, logging."""
