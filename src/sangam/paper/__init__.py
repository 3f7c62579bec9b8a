"""The paper executor: orders that meet real prices and no exchange."""
