#!/bin/sh
# Runs in a booted guest: in_guest.sh BACKEND...
export KMSG_GUEST=1 PYTHONPATH=/opt/kmsg-exporter
cd /opt/kmsg-exporter || exit 1
status=0
for backend; do
  echo "# kernel $(uname -r), backend $backend"
  KMSG_BACKEND=$backend python3 -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider -q \
    tests/beside || status=1
done
exit $status
