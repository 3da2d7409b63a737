"""The memory of an engineering organisation, built from its webhooks."""
