#!/bin/sh
# build.sh [VERSION]: make $DIST/kmsg-exporter_VERSION_ARCH.deb (dist/, the project's own version) and print its path.
#   The project and the wheels of requirements.lock, checked by their hashes, in a directory of their own. One package
#   serves every Python from 3.11 on: compiled code that one only can load is kept where others do without, for each of
#   PYTHONS (what makes the collector fast, for those that Debian and Ubuntu have).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
python=${PYTHON:-$top/.venv/bin/python}
version=${1:-$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$top/kmsg_exporter/__init__.py" | sed 's/\.\{0,1\}\(a\|b\|rc\|dev\)\([0-9]\)/~\1\2/')}
dist=${DIST:-$top/dist}
pythons=${PYTHONS:-3.11 3.12 3.13 3.14}
arch=$(dpkg --print-architecture)
for tool in dpkg-shlibdeps:dpkg-dev strip:binutils; do
  command -v "${tool%:*}" > /dev/null || { echo "build.sh: ${tool%:*} is needed: apt-get install ${tool#*:}" >&2; exit 1; }
done
umask 022
: "${SOURCE_DATE_EPOCH:=$(git -C "$top" log -1 --format=%ct 2> /dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
lib=$root/usr/lib/kmsg-exporter
share=$root/usr/share

pip() { "$python" -m pip --quiet --disable-pip-version-check "$@"; }
pip wheel --no-deps --wheel-dir "$work/wheel" "$top"
pip install --root-user-action ignore --no-compile --only-binary :all: --require-hashes --target "$lib" -r "$top/requirements.lock"
rm -rf "$lib/bin" "$lib/certifi/tests"
pip install --root-user-action ignore --no-compile --no-deps --target "$lib" "$work"/wheel/*.whl
rm -rf "$lib/bin"
find "$lib" -name '*.py' -exec sed -i '1{/^#!/d}' {} + # they are modules here, not programs
find "$lib" -name '*.so' ! -name '*.abi3.so' -delete # of packages that do without
awk '/^[a-z]/ { wanted = /^(httptools|uvloop)==/ } wanted' "$top/requirements.lock" > "$work/compiled.lock"
for version_of_python in $pythons; do
  pip install --root-user-action ignore --no-compile --no-deps --only-binary :all: --require-hashes \
    --python-version "$version_of_python" --target "$work/compiled" --upgrade -r "$work/compiled.lock"
  (cd "$work/compiled" && find . -name '*.so' -exec cp --parents -t "$lib" {} +)
done
find "$lib/httptools" "$lib/uvloop" ! -type d ! -name '*.py' ! -name '*.so' -delete # sources and the directories of these
find "$lib/httptools" "$lib/uvloop" -type d -empty -delete
find "$lib" -name '*.so' -exec chmod 644 {} + -exec strip --strip-unneeded {} +
find "$lib" -name '*.dist-info' -exec sh -c 'rm -f "$1/RECORD" "$1/direct_url.json" "$1/INSTALLER" "$1/REQUESTED"' - {} \;

install -D -m 755 "$here/kmsg-exporter" "$root/usr/bin/kmsg-exporter"
install -d "$root/etc/default" "$share/doc/kmsg-exporter" "$root/DEBIAN"
install -D -m 644 -t "$root/usr/lib/systemd/system" "$top"/deploy/systemd/*.service
PYTHON=$python "$top/deploy/shell/build.sh" "$work/shell"
install -D -m 644 "$work/shell/kmsg-exporter.1" "$share/man/man1/kmsg-exporter.1"
gzip -9n "$share/man/man1/kmsg-exporter.1"
install -D -m 644 "$work/shell/kmsg-exporter.bash" "$share/bash-completion/completions/kmsg-exporter"
install -D -m 644 "$work/shell/kmsg-exporter.zsh" "$share/zsh/vendor-completions/_kmsg-exporter"
install -D -m 644 "$work/shell/kmsg-exporter.fish" "$share/fish/vendor_completions.d/kmsg-exporter.fish"
for unit in kmsg-exporter kmsg-collector; do
  install -m 644 "$top/deploy/systemd/$unit.default" "$root/etc/default/$unit"
  echo "/etc/default/$unit"
done > "$root/DEBIAN/conffiles"
install -m 644 -t "$share/doc/kmsg-exporter" "$here/copyright" "$top/README.md"
gzip -9n < "$top/CHANGELOG.md" > "$share/doc/kmsg-exporter/NEWS.gz"
printf 'kmsg-exporter (%s) stable; urgency=medium\n\n  * See NEWS.gz.\n\n -- %s  %s\n' "$version" \
  "$(sed -n 's/^Maintainer: //p' "$here/control")" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" |
  gzip -9n > "$share/doc/kmsg-exporter/changelog.gz"

mkdir "$work/debian" && : > "$work/debian/control"
needs=$(cd "$work" && find "$lib" -name '*.so' -exec dpkg-shlibdeps -O {} + 2> /dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$needs" ] || { echo "build.sh: dpkg-shlibdeps did not say what the compiled code needs" >&2; exit 1; }
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SHLIBS@/$needs/" \
  -e "s/@SIZE@/$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)/" "$here/control" > "$root/DEBIAN/control"
install -m 755 -t "$root/DEBIAN" "$here/postinst" "$here/prerm" "$here/postrm"
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
chmod 644 "$root/DEBIAN/md5sums" "$root/DEBIAN/control" "$root/DEBIAN/conffiles"
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$dist"
package=$dist/kmsg-exporter_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" > /dev/null
echo "$package"
