"""REST: the known `/api/v1` of market data, health and metrics, and the administration that the command line uses."""
