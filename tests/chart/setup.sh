#!/bin/sh
# What the chart's tests need beside Python's packages, in ~/.cache/kmsg-exporter: the CRDs of the Prometheus Operator and
# of OpenShift; with --all also Helm 4 and kustomize, built from their Go modules (some minutes, once).
set -eu
cache=$HOME/.cache/kmsg-exporter
mkdir -p "$cache/bin" "$cache/crds"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# crd MODULE@VERSION PATH NAME
crd() {
  [ ! -e "$cache/crds/$3.yaml" ] || return 0
  # in a directory of its own: inside a module this would change its go.mod
  dir=$(cd "$work" && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  cp "$dir/$2" "$work/$3.yaml"
  mv "$work/$3.yaml" "$cache/crds/"
}

# program MODULE@VERSION BINARY NAME
program() {
  [ ! -e "$cache/bin/$3" ] || return 0
  GOBIN="$work" CGO_ENABLED=0 go install -ldflags='-s -w' "$1"
  mv "$work/$2" "$cache/bin/$3"
}

operator=github.com/prometheus-operator/prometheus-operator@v0.80.1
for kind in podmonitor servicemonitor prometheusrule; do
  crd "$operator" "example/prometheus-operator-crd/monitoring.coreos.com_${kind}s.yaml" "$kind"
done
crd github.com/openshift/api@v0.0.0-20250102185430-d6d8306a24ec \
  payload-manifests/crds/0000_03_config-operator_01_securitycontextconstraints-Default.crd.yaml securitycontextconstraints
[ "${1-}" = --all ] || exit 0
program helm.sh/helm/v4/cmd/helm@v4.3.1 helm helm-4.3.1
program sigs.k8s.io/kustomize/kustomize/v5@v5.6.0 kustomize kustomize-5.6.0
