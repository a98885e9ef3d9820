#!/bin/sh
# boot.sh BACKEND...: boot a guest with trace-cmd and bpftrace in it, and test beside them with each backend.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
"$here/setup.sh"
set -- -- sh /opt/kmsg-exporter/tests/beside/in_guest.sh "$@"
for part in kmsg_exporter tests/conftest.py tests/kernel tests/hotplug tests/beside; do
  set -- --copy "$top/$part:/opt/kmsg-exporter/$part" "$@"
done
exec "${PYTHON:-$top/.venv/bin/python}" "$top/tests/guest/boot.py" 6.1 --memory 2G --timeout 900 \
  --copy "$home/neighbours-amd64:/usr" "$@"
