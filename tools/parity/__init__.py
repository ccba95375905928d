"""The engine against the reference implementation, case by case."""
