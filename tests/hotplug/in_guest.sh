#!/bin/sh
# Runs in a booted guest: in_guest.sh TEST...
export KMSG_GUEST=1 KMSG_BACKEND=kprobe PYTHONPATH=/opt/kmsg-exporter
cd /opt/kmsg-exporter || exit 1
echo "# kernel $(uname -r) $(uname -m); CPUs possible $(cat /sys/devices/system/cpu/possible), online $(cat /sys/devices/system/cpu/online)"
exec python3 -m pytest -c tests/kernel/pytest.ini --confcutdir=tests -p no:cacheprovider -q "$@"
