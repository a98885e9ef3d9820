"""What `kmsg-exporter watch` shows: the log and its users from moment to moment, on a screen or as lines."""
