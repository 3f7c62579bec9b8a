"""Wires that several brokers share. Nothing here is a broker: those are tables over these."""
