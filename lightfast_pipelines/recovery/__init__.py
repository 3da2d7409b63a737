"""Finding deliveries that were lost and things that were deleted."""
