#!/bin/sh
# run.sh: build the image, test what is in it, and run it under runc in a booted kernel as the chart says.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
home=${KMSG_IMAGE_HOME:-$HOME/.cache/kmsg-exporter/image}
python=${PYTHON:-$top/.venv/bin/python}
"$here/setup.sh"
"$top/tests/guest/setup.sh" 6.1
"$here/build.sh"
"$python" -m pytest -q -p no:cacheprovider "$here"/test_*.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$here/bundles.py" "$work/bundles" "$home/with-seccomp"
"$here/rootfs.sh" "$work/image.tar"
set --
for library in $(ldd "$(command -v runc)" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | grep -v '/libc\.so'); do
  set -- "$@" --copy "$library:$library"
done
"$python" "$top/tests/guest/boot.py" 6.1 --memory 2G --timeout 1200 \
  --copy "$(command -v runc):/usr/sbin/runc" "$@" \
  --copy "$here/guest:/opt/image" --copy "$work/bundles:/opt/image/bundles" --copy "$work/image.tar:/opt/image/image.tar" \
  --copy "$top/tests/kernel/support.py:/opt/image/support.py" --copy "$top/tests/kernel/pytest.ini:/opt/image/pytest.ini" \
  -- sh /opt/image/in_guest.sh
