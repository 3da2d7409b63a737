"""Each job beside its schedule."""
