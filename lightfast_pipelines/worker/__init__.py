"""`lightfast worker`: captures deliveries within a second of their arrival, between Dagster's runs."""
