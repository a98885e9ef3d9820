"""What can be configured: one table of options that is flags, variables and a file, and the Config made of them."""

from kmsg_exporter.config.flags import Parser, add_flags
from kmsg_exporter.config.load import load
from kmsg_exporter.config.options import OPTIONS, Backend, Config, LogFormat, LogLevel, Option, options
from kmsg_exporter.config.values import Address

__all__ = [
    "OPTIONS",
    "Address",
    "Backend",
    "Config",
    "LogFormat",
    "LogLevel",
    "Option",
    "Parser",
    "add_flags",
    "load",
    "options",
]
