#!/bin/sh
# setup.sh: make this machine ready for tests/page. From Debian: Chromium and a font.
set -eu
need=
command -v chromium >/dev/null || need="$need chromium"
[ -d /usr/share/fonts/truetype/dejavu ] || need="$need fonts-dejavu-core"
[ -z "$need" ] && exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
