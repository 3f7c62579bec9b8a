"""Sangam: one server between traders' programs and their brokers."""

__version__ = "0.1.0"
