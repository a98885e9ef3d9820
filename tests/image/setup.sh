#!/bin/sh
# setup.sh: what the image's tests need from Debian and from Go; only what is missing is installed or built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_IMAGE_HOME:-$HOME/.cache/kmsg-exporter/image}
need=
for tool in buildah runc mmdebstrap git jq; do command -v $tool > /dev/null || need="$need $tool"; done
if [ -n "$need" ]; then
  echo "installing$need"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need > /dev/null
fi
mkdir -p "$home"
"$here/base.sh"
stamp=$(cat "$here"/seccomp/* | sha256sum)
[ "$(cat "$home/seccomp.stamp" 2> /dev/null)" = "$stamp" ] || {
  (cd "$here/seccomp" && CGO_ENABLED=0 go build -o "$home/with-seccomp" .)
  echo "$stamp" > "$home/seccomp.stamp"
}
