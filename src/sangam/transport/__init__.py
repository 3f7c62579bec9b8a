"""The only I/O with brokers: HTTP calls, sockets, and the framings between bytes and codecs."""
