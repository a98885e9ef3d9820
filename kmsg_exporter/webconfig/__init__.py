"""Who may ask the web server, and how: exporter-toolkit's web configuration file."""

from kmsg_exporter.webconfig.guard import Guard

__all__ = ["Guard"]
