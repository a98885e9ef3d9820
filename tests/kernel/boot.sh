#!/bin/sh
# boot.sh KERNEL [--append=ARGS] [--out=DIR] [--only=TESTS] BACKEND...: boot one kernel and run tests/kernel and
#   tests/evasions in it, once for each backend.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
kernel=$1; shift
append=
case ${1:-} in --append=*) append=${1#--append=}; shift ;; esac
out=
case ${1:-} in --out=*) out="--out ${1#--out=}"; shift ;; esac
machine=x86_64 arch=amd64
case $kernel in *-arm64) machine=aarch64 arch=arm64 ;; esac
evasions=$("$top/tests/evasions/copies.sh" $machine)
rsyslog=$("$here/rsyslog.sh" $arch)
exec "${PYTHON:-$top/.venv/bin/python}" "$top/tests/guest/boot.py" "$kernel" --append "$append" $out --timeout 2700 \
  --copy "$top/kmsg_exporter:/opt/kmsg-exporter/kmsg_exporter" --copy "$here:/opt/kmsg-exporter/tests/kernel" \
  --copy "$top/tests/conftest.py:/opt/kmsg-exporter/tests/conftest.py" \
  --copy "$rsyslog:/opt/rsyslog" --copy "$top/tests/tracefs:/opt/kmsg-exporter/tests/tracefs" $evasions \
  -- sh /opt/kmsg-exporter/tests/kernel/in_guest.sh "$@"
