"""What the tests share: fakes, clients of others, rigs, and small models."""
