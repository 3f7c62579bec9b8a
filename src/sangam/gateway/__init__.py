"""What clients see on port 8765: the WebSocket protocol, the fan-out, and the care for slow clients."""
