#!/bin/sh
# setup.sh: what the tests of the package need: tests/systemd/setup.sh's, zsh, fish and man, and a Debian 13 with Python
#   in the guest home.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
guest=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
"$here/../systemd/setup.sh"
if ! { command -v zsh && command -v fish && command -v man && [ -d /usr/share/groff/current/tmac ]; } > /dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends zsh fish man-db groff > /dev/null
fi
mkdir -p "$guest/package"
exec 9> "$guest/package/lock"
flock 9
[ ! -s "$guest/package/trixie.tar" ] || exit 0
"$here/../guest/apt.sh" trixie amd64 apt-get -qq update
mmdebstrap --quiet --mode=root --variant=minbase --include=python3,init-system-helpers --architectures=amd64 \
  --aptopt='APT::Sandbox::User ""' --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' \
  trixie "$guest/package/new.tar" - < "$guest/apt/trixie-amd64/sources.list"
mv "$guest/package/new.tar" "$guest/package/trixie.tar"
