"""The border between processes: `feed.port` spoken over ZeroMQ."""
