"""Sans-I/O layers between a socket's bytes and a codec's messages."""
