"""Search of a workspace's memory, by a question in a person's words."""
