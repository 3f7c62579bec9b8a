"""What can be tried of a broker's folder at the broker itself: by a user with an account there."""
