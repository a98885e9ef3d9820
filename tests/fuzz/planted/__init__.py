"""Targets with a fault each, to show that the runner finds it."""
