#!/bin/sh
# setup.sh: what other users of tracing need in a guest, from Debian, below the guest home: neighbours-amd64. Nothing is
#   installed. A second run has nothing to do.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
suite=bookworm arch=amd64
packages="bpftrace trace-cmd"
"$here/../guest/setup.sh" 6.1
stamp=$(cat "$here/setup.sh" "$here/../guest/apt.sh" | sha256sum)
[ "$(cat "$home/neighbours-$arch.stamp" 2> /dev/null)" != "$stamp" ] || exit 0

apt() { "$here/../guest/apt.sh" "$suite" "$arch" "$@"; }
work=$(mktemp -d "$home/neighbours.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
apt apt-get -qq update
mkdir -p "$work/none/partial" "$root/usr/lib"
ln -s usr/lib "$root/lib"
# --print-uris leaves out what was downloaded before, so it is asked with an empty archive
debs=$(apt apt-get -qq --yes --print-uris -o Dir::Cache::archives="$work/none" install $packages | awk '{print $2}')
apt apt-get -qq --yes --download-only install $packages > /dev/null
for deb in $debs; do
  case $deb in libc6_*) continue ;; esac # the guest has its own
  dpkg-deb --fsys-tarfile "$home/apt/$suite-$arch/cache/archives/$deb" |
    tar -x -C "$root" --keep-directory-symlink --exclude='./usr/share/*' --exclude='./var'
done
rm -rf "$home/neighbours-$arch"
mv "$root/usr" "$home/neighbours-$arch"
echo "$stamp" > "$home/neighbours-$arch.stamp"
