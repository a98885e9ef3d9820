#!/bin/bash
# build.sh: build Kubernetes' own programs from its Go modules into $CLUSTER_HOME/bin, once: about ten minutes on two cores.
set -euo pipefail
version=${KUBERNETES_VERSION:-1.36.1}
home=${CLUSTER_HOME:-$HOME/.cache/kmsg-exporter/cluster}
stamp=$(cat "$0")$version
[ "$(cat "$home/bin/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
mkdir -p "$home/build" "$home/bin"
cd "$home/build"
mod=$(go mod download -json "k8s.io/kubernetes@v$version" | jq -r .GoMod)
{
  printf 'module build\n\n'
  grep -E '^go ' "$mod"
  echo "require k8s.io/kubernetes v$version"
  echo "replace ("
  grep -oE 'k8s\.io/[a-z0-9-]+ => \./staging' "$mod" | awk -v m="0.${version#*.}" '{print $1 " => " $1 " v" m}'
  echo ")"
} > go.mod
programs=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)
{
  printf '//go:build tools\n\npackage build\n\n'
  printf 'import _ "k8s.io/kubernetes/cmd/%s"\n' "${programs[@]}"
} > tools.go
go mod tidy
x=k8s.io/component-base/version
for program in "${programs[@]}"; do
  echo "building $program"
  CGO_ENABLED=0 nice -n 19 go build -o "$home/bin/$program" \
    -ldflags "-s -w -X $x.gitVersion=v$version -X $x.gitMajor=1 -X $x.gitMinor=$(cut -d. -f2 <<< "$version")" \
    "k8s.io/kubernetes/cmd/$program"
done
echo "$stamp" > "$home/bin/stamp"
