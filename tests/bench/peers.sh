#!/bin/bash
# peers.sh: Debian's bpftrace and auditd, unpacked and never installed, so that no daemon starts and nothing is traced.
#   Leaves $KMSG_GUEST_HOME/peers/{bin,lib}: programs, the libraries they load, and the ld.so that starts them anywhere.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
suite=bookworm arch=amd64 packages="bpftrace auditd" programs="usr/bin/bpftrace sbin/auditd sbin/auditctl"
stamp=$(sha256sum < "$here/peers.sh")
[ "$(cat "$home/peers/stamp" 2>/dev/null)" != "$stamp" ] || exit 0

mkdir -p "$home"
exec 9> "$home/lock"
flock 9
apt() { "$here/../guest/apt.sh" "$suite" "$arch" "$@"; }
work=$(mktemp -d "$home/peers.XXXXXX")
trap 'rm -rf "$work"' EXIT
apt apt-get -qq update
mkdir -p "$work/none/partial" "$work/root" "$work/peers/bin" "$work/peers/lib"
debs=$(apt apt-get -qq --yes --print-uris -o Dir::Cache::archives="$work/none" install $packages | awk '{print $2}')
apt apt-get -qq --yes --download-only install $packages > /dev/null
for deb in $debs; do
  dpkg-deb --fsys-tarfile "$home/apt/$suite-$arch/cache/archives/$deb" |
    tar -x -C "$work/root" --exclude='./usr/share' --exclude='./var'
done
loader=$work/root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
paths=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu
for program in $programs; do
  cp "$work/root/$program" "$work/peers/bin/"
  "$loader" --library-path "$paths" --list "$work/root/$program" | sed -n 's/.* => \(\/.*\) (.*/\1/p' |
    xargs -I{} cp -Lu {} "$work/peers/lib/"
done
cp -L "$loader" "$work/peers/lib/ld.so"
echo "$stamp" > "$work/peers/stamp"
rm -rf "$home/peers"
mv "$work/peers" "$home/peers"
echo "peers: $(du -sm "$home/peers" | cut -f1) MiB"
