"""The rules of the memory: pure functions over plain values. No I/O, clock, randomness or environment."""
