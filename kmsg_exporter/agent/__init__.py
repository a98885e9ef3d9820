"""The agent: wires the parts, owns every thread and the order in which they stop."""
