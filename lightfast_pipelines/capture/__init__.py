"""The batch: queue, transform, fold, write, in one transaction. No Dagster."""
