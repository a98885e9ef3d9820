#!/bin/bash
# kernel.sh NAME: fetch Debian's newest kernel of one suite; leaves kernel-NAME and config-NAME in the guest home.
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
[ "$(cat "$home/kernel-$name.stamp" 2>/dev/null)" != "$stamp" ] || [ ! -s "$home/kernel-$name" ] || exit 0

apt() { "$here/apt.sh" "$suite" "$arch" "$@"; }
apt apt-get -qq update
# The package's name carries an ABI number that moves with every update: the meta-package knows it.
package=$(apt apt-cache depends --important "linux-image-$arch" | awk '/Depends: linux-image-/ && !n++ {print $2}')
[ -n "$package" ] || { echo "kernel.sh: linux-image-$arch of $suite depends on no kernel" >&2; exit 1; }
cd "$home/apt/$suite-$arch/cache/archives"
apt apt-get -qq download "$package"
deb=$(ls -t "$package"_*.deb | head -1)

work=$(mktemp -d "$home/kernel.XXXXXX")
trap 'rm -rf "$work"' EXIT
dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" --strip-components 2 --wildcards './boot/vmlinuz-*' './boot/config-*'
image=$(echo "$work"/vmlinuz-*) config=$(echo "$work"/config-*) release=${image##*/vmlinuz-}

# An emulated x86 takes 3 s to decompress its kernel, this machine less than one: unpack what is inside the bzImage
# (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length; the last 4 bytes are the size), an ELF
# file that the emulator enters by its PVH note.
if [ "$arch" = amd64 ]; then
  setup=$(od -An -tu1 -j $((0x1f1)) -N 1 "$image")
  read -r offset length < <(od -An -tu4 -j $((0x248)) -N 8 "$image")
  payload() { head -c $(((setup + 1) * 512 + offset + length - 4)) "$image" | tail -c $((length - 4)); }
  case $(grep -o '^CONFIG_KERNEL_[A-Z0-9]*=y' "$config") in
    CONFIG_KERNEL_XZ=y) payload | xz -dc > "$work/elf" ;;
    CONFIG_KERNEL_ZSTD=y) payload | zstd -dcq > "$work/elf" ;;
    *) cp "$image" "$work/elf" ;; # boots as well, if later
  esac
  image=$work/elf
fi
mv "$config" "$home/config-$name"
mv "$image" "$home/kernel-$name"
echo "$stamp" > "$home/kernel-$name.stamp"
echo "kernel $name: $release (${deb##*/})"
