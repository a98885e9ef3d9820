#!/bin/sh
# rsyslog.sh amd64|arm64: Debian's rsyslogd for a guest, below the guest home; prints where. Nothing is installed, and a second run has
#   nothing to do.
set -eu
arch=$1
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
made=$home/rsyslog-$arch
stamp=$(cat "$here/rsyslog.sh" "$here/../guest/apt.sh" | sha256sum)
if [ "$(cat "$made.stamp" 2> /dev/null)" != "$stamp" ]; then
  apt() { "$here/../guest/apt.sh" bookworm "$arch" "$@"; }
  work=$(mktemp -d "$home/rsyslog.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  apt apt-get -qq update
  # what else it needs is in every root
  (cd "$work" && apt apt-get -qq download rsyslog libestr0 libfastjson4 > /dev/null)
  mkdir "$work/root" "$work/made"
  for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
  mv "$work/root/usr/sbin/rsyslogd" "$work"/root/usr/lib/*/libestr.so.0* "$work"/root/usr/lib/*/libfastjson.so.4* "$work/made"
  for module in imklog imkmsg lmnet; do mv "$work"/root/usr/lib/*/rsyslog/$module.so "$work/made"; done
  rm -rf "$made"
  mv "$work/made" "$made"
  echo "$stamp" > "$made.stamp"
fi
echo "$made"
