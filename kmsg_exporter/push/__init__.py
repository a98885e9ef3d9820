"""The event on its way out: OTLP, the spool on disk, the sender."""
