#!/bin/sh
# build.sh: build the image localhost/kmsg-exporter:test from deploy/container/Containerfile, on the base that base.sh makes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
name=${1:-localhost/kmsg-exporter:test}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# pip asks the same index as on this machine: its settings, from wherever they come, as one file.
where='index-url|extra-index-url|trusted-host|proxy|retries|timeout|default-timeout'
{
  echo "[global]"
  python3 -m pip config list | sed -nE "s/^[^=]*\.($where)='(.*)'$/\1 = \2/p" | sort -u
} > "$work/pip.conf"
certificates=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
cd "$top"
old=$(buildah images --quiet "$name" 2> /dev/null || true)
buildah build --quiet --isolation chroot --tag "$name" \
  --build-arg BASE=localhost/debian-python --build-arg BUILDER=localhost/debian-python-pip \
  --build-arg VERSION="$(sed -n 's/^__version__ = "\(.*\)"/\1/p' kmsg_exporter/__init__.py)" \
  --build-arg REVISION="$(git rev-parse HEAD)" \
  --secret id=pip,src="$work/pip.conf" --secret id=certificates,src="$certificates" \
  --file deploy/container/Containerfile --ignorefile deploy/container/Containerfile.dockerignore .
[ -z "$old" ] || buildah rmi "$old" > /dev/null 2>&1 || true # unless it is the same
