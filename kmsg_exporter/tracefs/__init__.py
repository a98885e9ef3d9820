"""The kernel's tracing files: mount, instance, dynamic events, formats, ring buffer pages. Knows Linux, not kmsg."""
