"""Reading the providers' history."""
