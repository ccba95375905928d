"""The control plane: parameters, presets, OSC. Never imports torch."""
