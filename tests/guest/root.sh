#!/bin/bash
# root.sh amd64|arm64: make the small root that every guest of one architecture boots; leaves root-ARCH.cpio in the guest home.
#   Debian packages, unpacked and never installed, and the wheels the project needs, at the versions of its lock. setup.sh calls it.
set -euo pipefail
arch=${1:?amd64 or arm64} suite=bookworm
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
lock=$here/../../requirements-dev.lock
packages="bash busybox-static coreutils dash psmisc python3.11 util-linux"
wheels="prometheus-client requests tenacity starlette uvicorn jinja2 pyyaml httpx pytest"
stamp=$(cat "$here/root.sh" "$here/apt.sh" "$lock" | sha256sum)
[ "$(cat "$home/root-$arch.stamp" 2>/dev/null)" != "$stamp" ] || [ ! -s "$home/root-$arch.cpio" ] || exit 0

apt() { "$here/apt.sh" "$suite" "$arch" "$@"; }
work=$(mktemp -d "$home/root.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

# Packages. --print-uris leaves out what was downloaded before, so it is asked with an empty archive.
apt apt-get -qq update
mkdir -p "$work/none/partial"
debs=$(apt apt-get -qq --yes --print-uris -o Dir::Cache::archives="$work/none" install $packages | awk '{print $2}')
apt apt-get -qq --yes --download-only install $packages > /dev/null
mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{proc,sys,dev,run,tmp,root,etc,out}
for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$root/$dir"; done # as on a real Debian: /bin/dmesg is /usr/bin/dmesg
for deb in $debs; do
  dpkg-deb --fsys-tarfile "$home/apt/$suite-$arch/cache/archives/$deb" |
    tar -x -C "$root" --keep-directory-symlink --exclude='./usr/share/*' --exclude='*/gconv' --exclude='./var' \
      --exclude='./lib/systemd' --exclude='*/python3.11/lib2to3' --exclude='*/python3.11/pydoc_data'
done
ln -sf python3.11 "$root/usr/bin/python3"
ln -sf bash "$root/usr/bin/rbash"
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
printf '127.0.0.1 localhost guest\n' > "$root/etc/hosts"

# Wheels, pure Python: what has an extension module works without it, and so on both architectures.
site=$root/usr/local/lib/python3.11/dist-packages
sed -n 's/^\([a-z0-9.-]*==[^ ;\\]*\).*/\1/p' "$lock" > "$work/constraints"
python3.11 -m pip --quiet install --no-compile --only-binary :all: --root-user-action ignore \
  --constraint "$work/constraints" --target "$site" $wheels
find "$site" -name '*.so' -delete
find "$site/pygments/lexers" -type f ! -name '_*' ! -name python.py ! -name diff.py -delete

# What a guest unpacks at every boot should be small, and what it imports compiled, without sources beside it: 90 MiB
# become 70, and a boot a second shorter. Tracebacks through the library have line numbers and no text.
rm -rf "$root"/usr/{src,games} "$root"/usr/bin/dpkg* "$root"/usr/lib/python3.11/test "$site/bin"
find "$root/usr" -name __pycache__ -prune -exec rm -rf {} +
libraries=("$root"/usr/lib/python3.11 "$root"/usr/local/lib/python3.11)
python3.11 -m compileall -q -b -s "$root" -p / "${libraries[@]}"
find "${libraries[@]}" -name '*.py' -delete
(cd "$root" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc -R 0:0) > "$work/cpio"
mv "$work/cpio" "$home/root-$arch.cpio"
echo "$stamp" > "$home/root-$arch.stamp"
echo "root $arch: $(echo $debs | wc -w) packages, $(du -m "$home/root-$arch.cpio" | cut -f1) MiB"
