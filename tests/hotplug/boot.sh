#!/bin/sh
# boot.sh KERNEL...: on each, CPUs that come and go and a clock that steps, then the same kernel with one CPU.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
"$top/tests/guest/setup.sh" "$@"
boot() {
  kernel=$1 smp=$2 append=$3; shift 3
  "${PYTHON:-$top/.venv/bin/python}" "$top/tests/guest/boot.py" "$kernel" --smp "$smp" --append "$append" --timeout 900 \
    --copy "$top/kmsg_exporter:/opt/kmsg-exporter/kmsg_exporter" --copy "$here:/opt/kmsg-exporter/tests/hotplug" \
    --copy "$top/tests/kernel:/opt/kmsg-exporter/tests/kernel" \
    --copy "$top/tests/conftest.py:/opt/kmsg-exporter/tests/conftest.py" \
    -- sh /opt/kmsg-exporter/tests/hotplug/in_guest.sh "$@"
}
for kernel; do
  # not every kernel believes the firmware that CPUs could still be plugged in: possible_cpus=
  boot "$kernel" 2,maxcpus=4 "possible_cpus=4 maxcpus=1" tests/hotplug/test_cpus.py tests/hotplug/test_clock.py \
    tests/hotplug/test_retries.py tests/hotplug/test_suspend.py
  boot "$kernel" 2 nr_cpus=1 tests/hotplug/test_one_cpu.py
done
