#!/bin/sh
# The tests on this machine's own kernel, with the backend that it accepts; run as root.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
[ "$(id -u)" = 0 ] || { echo "native.sh: run as root: tracefs belongs to root" >&2; exit 1; }
grep -q " /sys/kernel/tracing tracefs " /proc/mounts || mount -t tracefs nodev /sys/kernel/tracing
backend=tracepoint
[ -e /sys/kernel/tracing/kprobe_events ] && backend=kprobe
echo "# kernel $(uname -r) $(uname -m), this machine's own; backend $backend"
tests() { .venv/bin/python -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider -p no:randomly "$@"; }
KMSG_TRACEFS=/sys/kernel/tracing tests tests/tracefs
KMSG_BACKEND=$backend tests tests/kernel --ignore=tests/kernel/test_lockdown.py
KMSG_BACKEND=state tests tests/kernel/test_emptyings.py
tests/evasions/native.sh
