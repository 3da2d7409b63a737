"""Reading the providers' history: budgets, walks, coverage, recovery. No Dagster here."""
