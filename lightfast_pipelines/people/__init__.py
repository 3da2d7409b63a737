"""Who is who, and what people work on. No Dagster."""
