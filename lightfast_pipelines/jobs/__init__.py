"""Jobs, each beside its schedule; a job only selects assets or does upkeep, it computes nothing."""
