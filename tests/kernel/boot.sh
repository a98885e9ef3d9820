#!/bin/sh
# boot.sh KERNEL [--append=ARGS] BACKEND...: boot one kernel and run tests/kernel in it, once for each backend.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
kernel=$1; shift
append=
case ${1:-} in --append=*) append=${1#--append=}; shift ;; esac
exec "${PYTHON:-$top/.venv/bin/python}" "$top/tests/guest/boot.py" "$kernel" --append "$append" --timeout 1500 \
  --copy "$top/kmsg_exporter:/opt/kmsg-exporter/kmsg_exporter" --copy "$here:/opt/kmsg-exporter/tests/kernel" \
  --copy "$top/tests/conftest.py:/opt/kmsg-exporter/tests/conftest.py" \
  --copy "$top/tests/tracefs:/opt/kmsg-exporter/tests/tracefs" \
  -- sh /opt/kmsg-exporter/tests/kernel/in_guest.sh "$@"
