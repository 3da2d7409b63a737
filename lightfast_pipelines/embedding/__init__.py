"""The stage that embeds observations, the embedders, and the vector indexes."""
