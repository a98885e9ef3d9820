#!/bin/sh
# setup.sh: make this machine ready for tests/notify. A second run has nothing to do.
#   From Debian: Prometheus, Alertmanager, Chromium, a guest's kernel and the driver of its network card. Built once, in
#   ~/.cache/kmsg-exporter: promtool with Kubernetes discovery, which Debian's lacks (some minutes), and Alertmanager's pages.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$HOME/.cache/kmsg-exporter/notify
guest=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
prometheus=0.42.0 alertmanager=0.25.0 # as Debian's packages: 2.42 and 0.25

need=
command -v prometheus >/dev/null || need="$need prometheus"
command -v prometheus-alertmanager >/dev/null || need="$need prometheus-alertmanager"
command -v chromium >/dev/null || need="$need chromium"
command -v go >/dev/null || need="$need golang-go"
[ -d /usr/share/fonts/truetype/dejavu ] || need="$need fonts-dejavu-core"
if [ -n "$need" ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
fi

"$here/../guest/setup.sh" 6.1
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
module() { # NAME VERSION: its directory, without what it requires
  (cd "$work" && go mod download -json "github.com/prometheus/$1@v$2" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
}

# The driver of the very kernel that guests boot: kernel.sh took that from the same package.
deb=$(ls -t "$guest"/apt/bookworm-amd64/cache/archives/linux-image-6.1.*_amd64.deb | head -n 1)
if [ ! -s "$cache/e1000.ko" ] || [ "$cache/e1000.ko" -ot "$guest/kernel-6.1" ]; then
  dpkg-deb --fsys-tarfile "$deb" | tar -x -O --wildcards '*/intel/e1000/e1000.ko' >"$work/e1000.ko"
  mv "$work/e1000.ko" "$cache/e1000.ko"
fi

if [ ! -x "$cache/promtool-$prometheus" ]; then
  echo "building promtool $prometheus with Kubernetes discovery"
  cp -R "$(module prometheus "$prometheus")" "$work/prometheus"
  chmod -R u+w "$work/prometheus"
  printf 'package plugins\n\nimport _ "github.com/prometheus/prometheus/discovery/kubernetes"\n' \
    >"$work/prometheus/plugins/plugins.go"
  (cd "$work/prometheus" && CGO_ENABLED=0 go build -ldflags '-s -w' -o "$cache/promtool-$prometheus" ./cmd/promtool)
fi

# Debian's Alertmanager serves its pages from this directory and comes without them: its package says to put them there.
ui=/usr/share/prometheus/alertmanager/ui
if [ ! -s "$ui/script.js" ]; then
  mkdir "$work/ui"
  sed '/^package /s/asset/main/' "$(module alertmanager "$alertmanager")/asset/assets_vfsdata.go" >"$work/ui/assets_vfsdata.go"
  cp "$here/ui.go" "$work/ui/"
  (cd "$work/ui" && printf 'module ui\n\ngo 1.19\n' >go.mod && go run . "$work/static")
  cp -R "$work/static/." "$ui/"
fi
