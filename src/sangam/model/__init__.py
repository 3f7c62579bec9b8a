"""The vocabulary of the house. Imports nothing of ours; every other room speaks these words."""
