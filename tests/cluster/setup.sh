#!/bin/sh
# setup.sh: what the local cluster needs from Debian and from Go; only what is missing is installed or built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
need=
for pair in etcd:etcd-server containerd:containerd runc:runc nft:nftables ip:iproute2 jq:jq openssl:openssl gcc:gcc; do
  command -v "${pair%%:*}" > /dev/null || need="$need ${pair#*:}"
done
[ -d /usr/lib/cni ] || need="$need containernetworking-plugins"
[ -e /usr/include/signal.h ] || need="$need libc6-dev"
if [ -n "$need" ]; then
  echo "installing$need"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need > /dev/null
fi
"$here/local/build.sh"
