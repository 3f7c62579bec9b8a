"""Pure translation between the house's words and each broker's wire: no I/O, no clock, no randomness."""
