"""Who it was: /proc, the flight recorder, ancestry, container."""
