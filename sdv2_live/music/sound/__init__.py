"""What can be heard in music: levels, bands, onsets, tempo. Pure functions over hops of 10 ms."""
