"""What outlives a start: the home folder with its lock, and the database."""
