"""Orders: journalled before they are sent, sent once, and never guessed about."""
