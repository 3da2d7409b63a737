"""What Linear's webhooks say: signatures, routing and one reader a kind of event."""
