"""Adapters by the names that programs know from the reference implementation: ours over the brokers of the house, and
those that users wrote, which the server hosts like any broker."""
