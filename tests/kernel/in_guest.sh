#!/bin/sh
# Runs in a booted guest: in_guest.sh BACKEND... tests each backend on this kernel; "lockdown" tests what is left under it.
set -u
export KMSG_GUEST=1 KMSG_EVADE=/opt/kmsg-exporter/evade PYTHONPATH=/opt/kmsg-exporter
cd /opt/kmsg-exporter || exit 1
status=0
echo "# kernel $(uname -r) $(uname -m)"
tests() { python3 -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider -q "$@" || status=1; }
case " $* " in *" kprobe "*)
  echo "# tracefs behaves as the fake of the unit tests does"
  KMSG_TRACEFS=/sys/kernel/tracing tests tests/tracefs ;;
esac
for backend; do
  if [ "$backend" = lockdown ]; then
    mode=$(sed -n 's/.*\[\(.*\)\].*/\1/p' /sys/kernel/security/lockdown)
    what="tests/kernel/test_lockdown.py"
  else
    mode=none
    what="tests/kernel --ignore=tests/kernel/test_lockdown.py"
    [ "$backend" = state ] || what="$what tests/evasions/test_ways.py"
  fi
  echo "# backend $backend, lockdown $mode"
  KMSG_BACKEND=$backend KMSG_LOCKDOWN=$mode tests $what
done
exit $status
