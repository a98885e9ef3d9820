"""`python -m kmsg_exporter`: the same as the kmsg-exporter command."""

import sys

from kmsg_exporter.cli import main

sys.exit(main())
