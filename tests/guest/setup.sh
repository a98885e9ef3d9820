#!/bin/bash
# setup.sh [KERNEL...]: make this machine ready to boot guests: 5.10 6.1 6.12 6.1-arm64, or only those named.
#   Installs what is missing, fetches the kernels, makes their roots. All that is made stays below $KMSG_GUEST_HOME
#   (default ~/.cache/kmsg-exporter/guest): a second run has nothing to do, removing the directory starts afresh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${KMSG_GUEST_HOME:-$HOME/.cache/kmsg-exporter/guest}
[ $# -gt 0 ] || set -- 5.10 6.1 6.12 6.1-arm64
case " $* " in *arm64*) need_arm64=1 ;; *) need_arm64= ;; esac
case " $* " in *" 5.10 "* | *" 6.1 "* | *" 6.12 "*) need_amd64=1 ;; *) need_amd64= ;; esac

missing=()
need() { command -v "$1" > /dev/null || missing+=("$2"); }
[ -z "$need_amd64" ] || need qemu-system-x86_64 qemu-system-x86
[ -z "$need_arm64" ] || need qemu-system-aarch64 qemu-system-arm
need cpio cpio
need xz xz-utils
need zstd zstd
need setpriv util-linux
python3.11 -m pip --version > /dev/null 2>&1 || missing+=(python3.11 python3-pip)
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install "${missing[@]}" > /dev/null
fi

mkdir -p "$home"
exec 9> "$home/lock"
flock 9
rm -rf "$home"/root.?????? "$home"/kernel.?????? # what an interrupted run left
for name in "$@"; do "$here/kernel.sh" "$name"; done
[ -z "$need_amd64" ] || "$here/root.sh" amd64
[ -z "$need_arm64" ] || "$here/root.sh" arm64
