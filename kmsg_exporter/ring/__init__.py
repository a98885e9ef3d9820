"""The log itself: /dev/kmsg, syslog(2), emptiness, hidden records."""
