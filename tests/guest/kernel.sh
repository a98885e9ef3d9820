#!/bin/bash
# kernel.sh NAME: fetch Debian's newest kernel of one suite; leaves vmlinuz-NAME and config-NAME in the guest home.
#   NAME: 5.10 6.1 6.12 (amd64) or 6.1-arm64. setup.sh calls it.
set -euo pipefail
name=${1:?5.10, 6.1, 6.12 or 6.1-arm64}
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
case $name in
  5.10) suite=bullseye arch=amd64 ;;
  6.1) suite=bookworm arch=amd64 ;;
  6.12) suite=trixie arch=amd64 ;;
  6.1-arm64) suite=bookworm arch=arm64 ;;
  *) echo "kernel.sh: no kernel $name: 5.10, 6.1, 6.12 or 6.1-arm64" >&2; exit 2 ;;
esac
stamp=$(cat "$here/kernel.sh" "$here/apt.sh" | sha256sum)
[ "$(cat "$home/kernel-$name.stamp" 2>/dev/null)" != "$stamp" ] || exit 0

apt() { "$here/apt.sh" "$suite" "$arch" "$@"; }
apt apt-get -qq update
# The package's name carries an ABI number that moves with every update: the meta-package knows it.
package=$(apt apt-cache depends --important "linux-image-$arch" | awk '/Depends: linux-image-/{print $2; exit}')
[ -n "$package" ] || { echo "kernel.sh: linux-image-$arch of $suite depends on no kernel" >&2; exit 1; }
cd "$home/apt/$suite-$arch/cache/archives"
apt apt-get -qq download "$package"
deb=$(ls -t "$package"_*.deb | head -1)

work=$(mktemp -d "$home/kernel.XXXXXX")
trap 'rm -rf "$work"' EXIT
dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" --wildcards './boot/vmlinuz-*' './boot/config-*'
mv "$work"/boot/config-* "$home/config-$name"
release=$(basename "$work"/boot/vmlinuz-*)
mv "$work"/boot/vmlinuz-* "$home/vmlinuz-$name"
echo "$stamp" > "$home/kernel-$name.stamp"
echo "kernel $name: ${release#vmlinuz-} (${deb##*/})"
