#!/bin/sh
# Runs in a booted guest: in_guest.sh [--only=TESTS] BACKEND... tests each backend on this kernel; "lockdown" tests what is
# left under it. What it finds out for others to see is left in /out.
set -u
export KMSG_GUEST=1 KMSG_EVADE=/opt/kmsg-exporter/evade KMSG_EVASIONS=/out PYTHONPATH=/opt/kmsg-exporter
cd /opt/kmsg-exporter || exit 1
status=0
only=
case ${1:-} in --only=*) only=${1#--only=}; shift ;; esac
echo "# kernel $(uname -r) $(uname -m)"
tests() { python3 -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider -q "$@" || status=1; }
case "$only: $* " in ":"*" kprobe "*)
  echo "# tracefs behaves as the fake of the unit tests does"
  KMSG_TRACEFS=/sys/kernel/tracing tests tests/tracefs ;;
esac
for backend; do
  mode=none
  case $backend in
    lockdown)
      mode=$(sed -n 's/.*\[\(.*\)\].*/\1/p' /sys/kernel/security/lockdown)
      what="tests/kernel/test_lockdown.py" ;;
    # the ways to use the log are shown with tracepoint by make evasions, and by make native where that is its backend
    state | tracepoint) what="tests/kernel --ignore=tests/kernel/test_lockdown.py" ;;
    *) what="tests/kernel --ignore=tests/kernel/test_lockdown.py tests/evasions/test_ways.py" ;;
  esac
  # who holds a file is the same on every kernel: where lsof is there, on one
  case "$backend-$(uname -m)-$(uname -r)" in kprobe-x86_64-6.1.*) what="$what tests/evasions/test_readers.py" ;; esac
  echo "# backend $backend, lockdown $mode"
  KMSG_BACKEND=$backend KMSG_LOCKDOWN=$mode tests ${only:-$what}
done
exit $status
