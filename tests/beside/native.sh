#!/bin/sh
# bpftrace beside the agent on this machine's own kernel; run as root.
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "native.sh: run as root: tracefs belongs to root" >&2; exit 1; }
grep -q " /sys/kernel/tracing tracefs " /proc/mounts || mount -t tracefs nodev /sys/kernel/tracing
backend=tracepoint
[ -e /sys/kernel/tracing/kprobe_events ] && backend=kprobe
echo "# kernel $(uname -r), this machine's own; backend $backend"
KMSG_BACKEND=$backend .venv/bin/python -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider \
  -p no:randomly tests/beside/test_bpftrace.py
