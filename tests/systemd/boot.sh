#!/bin/sh
# boot.sh TEST...: build the Debian package and run these tests with it in a guest that systemd has booted.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
python=${PYTHON:-$top/.venv/bin/python}
guest=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
[ $# -gt 0 ] || set -- "$here/test_units.py" "$here/test_why.py"

"$here/setup.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/tests"
cp "$here/node.py" "$here/hang.py" "$@" "$work/tests"
now=$(DIST=$work "$top/deploy/debian/build.sh")
version=$(dpkg-deb --field "$now" Version)
next=$(DIST=$work "$top/deploy/debian/build.sh" "$version+next")

KMSG_GUEST_HOME=$guest/systemd "$python" "$top/tests/guest/boot.py" 6.1 --memory 2G --timeout 900 \
  --append 'rdinit=/lib/systemd/systemd systemd.show_status=no loglevel=5' \
  --copy "$now:/srv/kmsg-exporter.deb" --copy "$next:/srv/kmsg-exporter-next.deb" \
  --copy "$top/README.md:/srv/README.md" --copy "$work/tests:/srv/tests" \
  -- sh -c 'cd /srv/tests && PYTHONPATH=/opt/pytest:/srv/tests python3 -m pytest -p no:cacheprovider --import-mode=importlib \
       -W error --color=no --tb=short -rP -q --durations=5 test_*.py'
