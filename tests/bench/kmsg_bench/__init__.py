"""The benchmark: what watching the kernel log costs, and how soon a clear is seen."""
