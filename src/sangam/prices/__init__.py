"""What is known of each instrument now: the only price source for clients, REST, checks and paper."""
