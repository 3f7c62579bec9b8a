"""Who listens to what, over which sockets, and what they are told."""
