#!/bin/bash
# A real one-node Kubernetes, whole in one network + mount + cgroup namespace of its own.
#   cluster.sh up             start it; returns when the node is Ready
#   cluster.sh run CMD...     run CMD in the cluster's network, KUBECONFIG (cluster admin) set, kubectl in its PATH
#   cluster.sh image NAME DIR [CMD...]   make images/NAME from root file system DIR; import it if up
#   cluster.sh import FILE    import an image's archive
#   cluster.sh down           kill every process of the cluster (by pid), remove its cgroups and data
# setup.sh has installed and built what it needs. All of it lives in $CLUSTER_HOME (default ~/.cache/kmsg-exporter/cluster).
# Inside: 10.88.0.1 is the node, 10.88.0.0/24 the pods, 10.96.0.0/16 the Services. No way out, no way in, no DNS.
set -euo pipefail
S=$(cd "$(dirname "$0")" && pwd) H=${CLUSTER_HOME:-$HOME/.cache/kmsg-exporter/cluster} IP=10.88.0.1
D=$H/data B=$H/bin
export PATH=$B:$PATH
CTR=(ctr -a "$D/containerd.sock" -n k8s.io)

cgroups() {  # this cluster's cgroup in each v1 hierarchy, below the one "up" was called from
  sed -nE 's,^[1-9][0-9]*:(name=)?([^:]+):(.*)$,/sys/fs/cgroup/\2\3/kube,p' /proc/self/cgroup | tr -s /
}

certs() {  # a CA; per component a cert (client and server) and a kubeconfig
  cd "$D/pki"
  local ec=(ec -pkeyopt ec_paramgen_curve:P-256)   # fast to make
  openssl req -x509 -newkey "${ec[@]}" -nodes -days 30 -subj /CN=kube-ca -keyout ca.key -out ca.crt
  openssl genrsa -out sa.key 2048
  local n s; while read -r n s; do
    openssl req -newkey "${ec[@]}" -nodes -subj "$s" -keyout $n.key -out $n.csr
    openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out $n.crt -extfile <(echo \
      "subjectAltName=IP:127.0.0.1,IP:$IP,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc
       extendedKeyUsage=serverAuth,clientAuth")
    cat >$n.conf <<X
apiVersion: v1
kind: Config
clusters: [{name: k, cluster: {server: "https://127.0.0.1:6443", certificate-authority: $D/pki/ca.crt}}]
users: [{name: u, user: {client-certificate: $D/pki/$n.crt, client-key: $D/pki/$n.key}}]
contexts: [{name: k, context: {cluster: k, user: u}}]
current-context: k
X
  done <<X
apiserver /CN=kube-apiserver
admin /O=system:masters/CN=admin
kubelet /O=system:nodes/CN=system:node:node1
controller-manager /CN=system:kube-controller-manager
scheduler /CN=system:kube-scheduler
proxy /CN=system:kube-proxy
X
}

configs() {
  cat >"$D/containerd.toml" <<X
version = 2
root = "$D/containerd"
state = "/run/containerd"
[grpc]
  address = "$D/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true   # root here lacks CAP_SYS_RESOURCE: it cannot lower oom_score_adj
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$D/cni"
X
  cat >"$D/cni/10-bridge.conflist" <<X
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$D/ipam", "ranges": [[{"subnet": "10.88.0.0/24", "gateway": "$IP"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
X
  cat >"$D/kubelet.yaml" <<X
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false          # this machine's controllers are all on cgroup v1
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix://$D/containerd.sock
address: $IP
tlsCertFile: $D/pki/kubelet.crt
tlsPrivateKeyFile: $D/pki/kubelet.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $D/pki/ca.crt}}
authorization: {mode: Webhook}
failSwapOn: false
oomScoreAdj: 0               # root here lacks CAP_SYS_RESOURCE
resolvConf: ""               # there is no DNS in here
imageGCHighThresholdPercent: 100   # images are imported, never pulled: do not collect them
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
X
}

daemon() { local n=$1; shift; { "$@" || true; echo "$n ended"; kill $$; } >"$D/log/$n.log" 2>&1 & }

inside() {  # runs as the cluster's first process, in the new namespaces
  mount --make-rshared /
  mount -t tmpfs tmpfs /run
  mount -t overlay overlay -o "lowerdir=/var,upperdir=$D/var,workdir=$D/var.work" /var
  mount -t tmpfs tmpfs /sys/fs/cgroup
  local c; for c in $(cgroups | cut -d/ -f5); do   # kubelet 1.36 insists on name=systemd too
    mkdir /sys/fs/cgroup/$c; mount -t cgroup -o ${c/#systemd/none,name=systemd} cgroup /sys/fs/cgroup/$c; done
  mountpoint -q /sys/kernel/tracing || mount -t tracefs nodev /sys/kernel/tracing
  ip link set lo up
  ip link add cni0 type bridge; ip addr add $IP/24 dev cni0; ip link set cni0 up; ip route add default dev cni0
  sysctl -qw net.ipv4.ip_forward=1
  cd "$D/pki"
  daemon etcd etcd --data-dir "$D/etcd" --unsafe-no-fsync --listen-peer-urls http://127.0.0.1:2380
  daemon containerd containerd -c "$D/containerd.toml"
  daemon apiserver "$B/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --advertise-address=$IP \
    --tls-cert-file=apiserver.crt --tls-private-key-file=apiserver.key --client-ca-file=ca.crt \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged \
    --kubelet-client-certificate=admin.crt --kubelet-client-key=admin.key --kubelet-certificate-authority=ca.crt \
    --kubelet-preferred-address-types=InternalIP --service-cluster-ip-range=10.96.0.0/16 \
    --feature-gates=SizeBasedListCostEstimate=false `# Debian's etcd 3.4 is too old for it: noise in the log` \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file=sa.key --service-account-signing-key-file=sa.key
  daemon controller-manager "$B/kube-controller-manager" --kubeconfig=controller-manager.conf --bind-address=127.0.0.1 \
    --root-ca-file=ca.crt --service-account-private-key-file=sa.key --use-service-account-credentials --leader-elect=false
  daemon scheduler "$B/kube-scheduler" --kubeconfig=scheduler.conf --bind-address=127.0.0.1 --leader-elect=false
  until "${CTR[@]}" version >/dev/null 2>&1; do sleep 0.2; done
  local i; for i in "$H"/images/*.tar; do "${CTR[@]}" images import "$i"; done
  until kubectl --kubeconfig=admin.conf get --raw=/readyz >/dev/null 2>&1; do sleep 0.3; done
  daemon kubelet "$B/kubelet" --config="$D/kubelet.yaml" --kubeconfig=kubelet.conf --root-dir="$D/kubelet" \
    --hostname-override=node1 --node-ip=$IP
  [ ! -x "$B/kube-proxy" ] || daemon proxy "$B/kube-proxy" --kubeconfig=proxy.conf --hostname-override=node1 \
    --proxy-mode=nftables --cluster-cidr=10.88.0.0/24 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0 --bind-address=$IP
  wait
}

up() {
  [ ! -e "$D" ] || { echo "$D exists: cluster.sh down first" >&2; exit 1; }
  [ -e "$H/images/localhost_pause_1.tar" ] || "$S/images.sh"
  mkdir -p "$D"/{pki,log,cni,etcd,kubelet,containerd,var,var.work}
  (certs) 2>"$D/log/certs.log"; configs
  cgroups >"$D/cgroups"
  local g; while read -r g; do mkdir -p "$g"
    case $g in */cpuset/*) cat "${g%/*}/cpuset.cpus" >"$g/cpuset.cpus"; cat "${g%/*}/cpuset.mems" >"$g/cpuset.mems";; esac
  done <"$D/cgroups"
  ( while read -r g; do echo $BASHPID >"$g/cgroup.procs"; done <"$D/cgroups"
    echo $BASHPID >"$D/pid"
    exec setsid unshare --net --mount --cgroup "$S/cluster.sh" inside ) >"$D/log/inside.log" 2>&1 </dev/null &
  local t=$((SECONDS + 120)); sleep 1
  until run kubectl wait --for=condition=Ready node/node1 --timeout=5s >/dev/null 2>&1 &&
        run kubectl get serviceaccount default >/dev/null 2>&1; do
    [ $SECONDS -lt $t ] && kill -0 "$(cat "$D/pid")" || { echo "not Ready: see $D/log" >&2; exit 1; }; sleep 0.5; done
  run kubectl get nodes -o wide
}

run() { KUBECONFIG="$D/pki/admin.conf" nsenter --net="/proc/$(cat "$D/pid")/ns/net" "$@"; }

image() {  # a one-layer docker archive
  local name=$1 dir=$2 t; shift 2; t=$(mktemp -d); mkdir -p "$H/images"
  tar -C "$dir" --numeric-owner -cf "$t/layer.tar" .
  jq -n --arg d "sha256:$(sha256sum <"$t/layer.tar" | cut -d' ' -f1)" '{architecture: "amd64", os: "linux",
    config: {Cmd: $ARGS.positional, Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
    rootfs: {type: "layers", diff_ids: [$d]}}' --args "$@" >"$t/config.json"
  jq -n --arg n "$name" '[{Config: "config.json", RepoTags: [$n], Layers: ["layer.tar"]}]' >"$t/manifest.json"
  local f="$H/images/${name//[\/:]/_}.tar"
  tar -C "$t" -cf "$f" manifest.json config.json layer.tar; rm -r "$t"
  [ ! -S "$D/containerd.sock" ] || "${CTR[@]}" images import "$f"
}

down() {
  [ -e "$D/cgroups" ] || return 0
  local g p i; g=$(grep /pids/ "$D/cgroups")
  for i in {1..50}; do   # every process below the cluster's cgroup was started by it
    p=$(find "$g" -name cgroup.procs -exec cat {} + 2>/dev/null) || true
    [ -n "$p" ] || break; kill -9 $p 2>/dev/null || true; sleep 0.1
  done
  while read -r g; do [ ! -d "$g" ] || find "$g" -depth -type d -exec rmdir {} +; done <"$D/cgroups"
  rm -rf "$D"
}

import() { "${CTR[@]}" images import "$1"; }

case ${1-} in up|down|run|image|import|inside) "$@";; *) sed -n '2,9s/^# *//p' "$0"; exit 2;; esac
