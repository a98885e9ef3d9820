#!/bin/bash
# root.sh: make the Debian that the guests under systemd boot; leaves root-amd64.cpio, beside a link to the kernel, in
#   $KMSG_GUEST_HOME/systemd. Really installed, so that dpkg and systemd work in it. setup.sh calls it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
guest=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
home=$guest/systemd
suite=bookworm
packages=systemd,systemd-sysv,init-system-helpers,python3,util-linux,psmisc,procps
stamp=$(cat "$here/root.sh" "$here/guest.service" "$here/guest.sh" "$here/../../requirements-dev.lock" | sha256sum)
mkdir -p "$home"
exec 9> "$home/lock"
flock 9
[ "$(cat "$home/root-amd64.stamp" 2> /dev/null)" != "$stamp" ] || [ ! -s "$home/root-amd64.cpio" ] || exit 0

rm -rf "$home"/root.??????
work=$(mktemp -d "$home/root.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
root=$work/root
"$here/../guest/apt.sh" "$suite" amd64 apt-get -qq update
sources=$guest/apt/$suite-amd64/sources.list
mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" --architectures=amd64 \
  --aptopt='APT::Sandbox::User ""' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  "$suite" "$root" - < "$sources"

# pytest, apart from what the system's own Python sees.
sed -n 's/^\([a-z0-9.-]*==[^ ;\\]*\).*/\1/p' "$here/../../requirements-dev.lock" > "$work/constraints"
python3.11 -m pip --quiet install --no-compile --only-binary :all: --root-user-action ignore \
  --constraint "$work/constraints" --target "$root/opt/pytest" pytest

install -D -m 755 "$here/guest.sh" "$root/opt/guest/guest.sh"
install -m 644 "$here/guest.service" "$root/etc/systemd/system/guest.service"
chroot "$root" systemctl -q enable guest.service
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \
  getty.target systemd-update-utmp-runlevel.service
rm -f "$root"/etc/dpkg/dpkg.cfg.d/* # what is installed later is whole
rm -rf "$root"/usr/lib/udev/hwdb.bin "$root"/usr/share/{i18n,zoneinfo,locale} "$root"/usr/lib/x86_64-linux-gnu/gconv \
  "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/lib/python3.11/{lib2to3,pydoc_data,test} "$root"/dev/*
echo guest > "$root/etc/hostname"
printf '127.0.0.1 localhost guest\n' > "$root/etc/hosts"
: > "$root/etc/machine-id" # an installed machine that boots for the first time
python3.11 -m compileall -q -s "$root" -p / "$root/usr/lib/python3.11" "$root/usr/lib/python3" "$root/opt/pytest"
(cd "$root" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc) > "$work/cpio"
ln -sfn ../kernel-6.1 "$home/kernel-6.1"
mv "$work/cpio" "$home/root-amd64.cpio"
echo "$stamp" > "$home/root-amd64.stamp"
echo "root with systemd: $(du -m "$home/root-amd64.cpio" | cut -f1) MiB"
