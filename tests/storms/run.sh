#!/bin/sh
# run.sh native | run.sh KERNEL BACKEND [TEST...]: the storms on this machine's own kernel, or in a booted guest.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
where=$1; shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
for source in "$here"/programs/*.c; do
  gcc -O2 -Wall -Wextra -Werror -static -o "$work/$(basename "$source" .c)" "$source"
done
if [ "$where" = native ]; then
  [ "$(id -u)" = 0 ] || { echo "run.sh: run as root: tracefs belongs to root" >&2; exit 1; }
  grep -q " /sys/kernel/tracing tracefs " /proc/mounts || mount -t tracefs nodev /sys/kernel/tracing
  backend=tracepoint
  [ -e /sys/kernel/tracing/kprobe_events ] && backend=kprobe
  [ $# -gt 0 ] || set -- tests/storms
  cd "$top"
  echo "# kernel $(uname -r) $(uname -m), this machine's own; backend $backend"
  KMSG_BACKEND=$backend KMSG_STORM_PROGRAMS=$work .venv/bin/python -m pytest -c tests/kernel/pytest.ini \
    --confcutdir=tests -p no:cacheprovider -p no:randomly "$@"
else
  backend=$1; shift
  [ $# -gt 0 ] || set -- tests/storms
  "${PYTHON:-$top/.venv/bin/python}" "$top/tests/guest/boot.py" "$where" --timeout 1700 \
    --copy "$top/kmsg_exporter:/opt/kmsg-exporter/kmsg_exporter" --copy "$here:/opt/kmsg-exporter/tests/storms" \
    --copy "$top/tests/kernel:/opt/kmsg-exporter/tests/kernel" --copy "$work:/opt/storms" \
    --copy "$top/tests/conftest.py:/opt/kmsg-exporter/tests/conftest.py" \
    -- sh -c 'cd /opt/kmsg-exporter; backend=$1; shift; echo "# kernel $(uname -r) $(uname -m); backend $backend"
      KMSG_GUEST=1 PYTHONPATH=/opt/kmsg-exporter KMSG_BACKEND=$backend KMSG_STORM_PROGRAMS=/opt/storms \
      exec python3 -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider -q "$@"' \
    sh "$backend" "$@"
fi
