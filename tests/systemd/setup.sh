#!/bin/sh
# setup.sh: what the tests under systemd need: mmdebstrap, and in the guest home a Debian that boots systemd as process 1.
#   A second run has nothing to do.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
need=
for tool in mmdebstrap lintian pipx dpkg-shlibdeps; do
  command -v "$tool" > /dev/null || need="$need $(case $tool in dpkg-shlibdeps) echo dpkg-dev binutils ;; *) echo "$tool" ;; esac)"
done
if [ -n "$need" ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need > /dev/null
fi
"$here/../guest/setup.sh" 6.1
"$here/root.sh"
