"""What came and what became of it: files, what waits, replay."""
