#!/bin/bash
# base.sh: make the base that the tests build on from Debian's packages: localhost/debian-python has Python and nothing
#   else, not even a shell; localhost/debian-python-pip has pip too. Their layers stay in the cache.
set -euo pipefail
home=${KMSG_IMAGE_HOME:-$HOME/.cache/kmsg-exporter/image}
mkdir -p "$home"
exec 9> "$home/lock"
flock 9
stamp=$(cat "$0" | sha256sum)
if [ "$(cat "$home/base.stamp" 2>/dev/null)" != "$stamp" ]; then
  root=$(mktemp -d "$home/base.XXXXXX")
  trap 'rm -rf "$root"' EXIT
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  layer() { # layer NAME PACKAGES: unpacked, never installed
    mmdebstrap --quiet --variant=extract --include="$2" --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "$suite" "$root/$1" > /dev/null 2> "$root/log" || { cat "$root/log" >&2; exit 1; }
    rm -rf "$root/$1"/usr/share/{doc,man,info,locale,lintian,pixmaps,applications} "$root/$1"/var/{cache,lib}/*
    rm -rf "$root/$1"/{dev,etc/apt,etc/hostname,etc/resolv.conf} && mkdir "$root/$1/dev"
    echo 'root:x:0:0:root:/root:/sbin/nologin' > "$root/$1/etc/passwd"
    echo 'root:x:0:' > "$root/$1/etc/group"
    tar -C "$root/$1" --numeric-owner --owner=0 --group=0 -cf "$home/$1.tar" .
  }
  layer debian-python python3
  layer debian-python-pip python3,python3-pip,dash,coreutils,ca-certificates
  echo "$stamp" > "$home/base.stamp"
  buildah rmi localhost/debian-python localhost/debian-python-pip > /dev/null 2>&1 || true
fi
for name in debian-python debian-python-pip; do
  buildah inspect --type image "localhost/$name" > /dev/null 2>&1 && continue
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$home/$name.tar" / > /dev/null
  buildah config --env PATH=/usr/local/bin:/usr/bin --cmd python3 "$container"
  buildah commit --quiet "$container" "localhost/$name" > /dev/null
  buildah rm "$container" > /dev/null
done
