"""Presets: named sets of parameter values in YAML files."""
