#!/bin/sh
# What tests/grafana needs: Debian's Prometheus, and the checker of alert files, built once a machine.
#   setup.sh --pictures: also Chromium and a font, for pictures.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
need=
command -v prometheus >/dev/null && command -v promtool >/dev/null || need="$need prometheus"
if [ "${1:-}" = --pictures ]; then
  command -v chromium >/dev/null || need="$need chromium"
  [ -n "$(find /usr/share/fonts -name 'DejaVuSans.ttf' 2>/dev/null)" ] || need="$need fonts-dejavu-core"
fi
if [ -n "$need" ]; then
  apt-get update -qq
  # shellcheck disable=SC2086  # one word each
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
fi

bin=$HOME/.cache/kmsg-exporter/bin
version=$(cat "$here/alertfile/main.go" "$here/alertfile/go.mod" "$here/alertfile/go.sum" | sha256sum | cut -c -12)
[ -x "$bin/alertfile-$version" ] && exit 0
command -v go >/dev/null || { echo "setup.sh: go is not installed: it builds the checker of Grafana's alert files" >&2; exit 1; }
echo "Building the checker of Grafana's alert files; this takes a minute, once."
mkdir -p "$bin"
cd "$here/alertfile"
CGO_ENABLED=0 timeout 500 go build -trimpath -ldflags "-s -w" -o "$bin/alertfile.$$" .
rm -f "$bin"/alertfile-*
mv "$bin/alertfile.$$" "$bin/alertfile-$version"
