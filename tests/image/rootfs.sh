#!/bin/sh
# rootfs.sh OUT [IMAGE]: the image's root file system as a tar, all layers in one.
set -eu
out=$1 image=${2:-localhost/kmsg-exporter:test}
container=$(buildah from --pull=never "$image")
trap 'buildah rm "$container" > /dev/null' EXIT
tar -C "$(buildah mount "$container")" --numeric-owner -cf "$out" .
