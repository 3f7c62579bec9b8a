"""The composition root: builds every room, connects them, and runs them."""
