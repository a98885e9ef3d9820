#!/bin/sh
# What tests/otel, tests/herd and the bench need: the real OpenTelemetry Collector, made by its own builder, and Kafka, each
# once a machine, outside the checkout. setup.sh [collector|kafka]: both without a word. Prints where they are.
#
# The builder writes main.go and components.go alone: its own `go mod tidy` also wants what only other people's tests need.
# go.mod names the releases that belong together: kafkaexporter, k8sattributesprocessor and attributesprocessor are of 0.160,
# whose configuration is the same.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${KMSG_EXPORTER_CACHE:-$HOME/.cache/kmsg-exporter}
builder=v0.162.0
export GOFLAGS='-mod=mod -buildvcs=false -p=1' # gently: one package at a time
export CGO_ENABLED=0

collector() {
  pins=$(cat "$here"/collector/* | sha256sum | cut -c -12)
  binary=$cache/otelcol/otelcol-$pins
  if ! [ -x "$binary" ]; then
    command -v go > /dev/null || { echo "setup.sh: go is not installed: it builds the OpenTelemetry Collector" >&2; exit 1; }
    echo "Building the OpenTelemetry Collector; this takes some minutes, once." >&2
    mkdir -p "$cache/otelcol"
    work=$(mktemp -d "$cache/otelcol/build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    GOBIN=$work/bin go install "go.opentelemetry.io/collector/cmd/builder@$builder"
    mkdir "$work/source"
    cp "$here"/collector/* "$work/source"
    (
      cd "$work/source"
      ../bin/builder --config builder.yaml --skip-get-modules --skip-compilation > ../log 2>&1 || { cat ../log >&2; exit 1; }
      go build -trimpath -ldflags "-s -w" -o ../otelcol .
    )
    rm -f "$cache"/otelcol/otelcol-*
    mv "$work/otelcol" "$binary"
    rm -rf "$work"
  fi
  echo "$binary"
}

kafka() {
  need=
  command -v java > /dev/null && command -v mvn > /dev/null || need="maven default-jre-headless"
  if [ -n "$need" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086  # one word each
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need > /dev/null
  fi
  pins=$(sha256sum "$here/kafka/pom.xml" | cut -c -12)
  jars=$cache/otelcol/kafka-$pins
  if ! [ -d "$jars" ]; then
    echo "Fetching Kafka; this takes a moment, once." >&2
    mkdir -p "$cache/otelcol"
    rm -rf "$jars.part"
    mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$jars.part" >&2
    mv "$jars.part" "$jars"
  fi
  echo "$jars"
}

case ${1:-both} in
  collector | kafka) "$1" ;;
  both) collector && kafka ;;
  *) echo "setup.sh: $1: collector or kafka" >&2; exit 2 ;;
esac
