"""The causal video transformer: layers, attention, rotary positions, and the K/V cache of a stream."""
