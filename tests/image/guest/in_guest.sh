#!/bin/sh
# Runs in a booted guest: makes it a node with a runtime, then tests/image/guest/test_in_runc.py in the pods' network.
set -eu
cd /opt/image
mkdir -p /run/image /run/tidy/bin /run/pod-collector/events /var/log
tar -x -C /run/image -f image.tar
chmod 777 /run/pod-collector/events # the kubelet gives a volume to fsGroup
cp /bin/busybox nightly.sh /run/tidy/bin/
ln -s busybox /run/tidy/bin/sh
ln -s busybox /run/tidy/bin/dmesg
for bundle in bundles/*; do
  while read -r path; do mkdir -p "$path"; done < "$bundle/host-paths"
done
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
mount --make-rshared / # as systemd does on a node
mount --make-rshared /sys
touch /run/pods
unshare --net=/run/pods ip link set lo up
export PYTHONPATH=/opt/image KMSG_GUEST=1
exec nsenter --net=/run/pods python3 -m pytest -c pytest.ini -p no:cacheprovider -q test_in_runc.py
