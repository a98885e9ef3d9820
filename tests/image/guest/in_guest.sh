#!/bin/sh
# Runs in a booted guest: makes it a node with a runtime, then tests/image/guest/test_in_runc.py in the pods' network.
set -eu
if [ "${1:-}" != inside ]; then
  # A node's root is a mount, shared with those who ask for it; an initramfs' is neither, and no runtime can pivot away from it.
  mkdir /run/node
  mount --rbind / /run/node
  mount --make-rshared /run/node
  cd /run/node
  mount --move . /
  exec chroot . sh "$0" inside
fi
cd /opt/image
mkdir -p /run/image /run/tidy/usr/bin /var/log
tar -x -C /run/image -f image.tar
ln -s usr/bin /run/tidy/bin
cp nightly.sh /run/tidy/bin/
for name in sh dmesg; do cp /bin/busybox /run/tidy/bin/$name; done
for bundle in bundles/*; do
  while read -r path; do mkdir -p "$path"; done < "$bundle/directories"
done
chmod 777 /run/pod-collector/events # as the kubelet gives a volume to fsGroup
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
touch /run/pods
unshare --net=/run/pods ip link set lo up
export PYTHONPATH=/opt/image KMSG_GUEST=1
exec nsenter --net=/run/pods python3 -m pytest -c pytest.ini -p no:cacheprovider -q test_in_runc.py
