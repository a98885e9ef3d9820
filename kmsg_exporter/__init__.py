"""Who clears and who reads this node's kernel log."""

__version__ = "0.1.0"
