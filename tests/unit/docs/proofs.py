"""Which test runs each command that the pages show: the file, and the words by which it does where they are others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Run:
    """A test's file, and what its code has: with "" the command itself, in Python as a string, or a line of one."""

    file: str
    words: str = ""


STRANGER: Final = Run("tests/docs/test_stranger.py")
INSTALL: Final = Run("tests/docs/test_install.py")
CONTRIBUTOR: Final = Run("tests/docs/test_contributor.py")
CLUSTER: Final = Run("tests/cluster/test_shown.py")
WATCH: Final = Run("tests/watch/terminal.py", '*(sys.executable, "-m", "kmsg_exporter", "watch", "--interval=0.3")')

# Commands of make that are no test, and what runs their target. The others are a part of test-all.
MAKE: Final = {
    "make run": Run("tests/docs/test_stranger.py", 'machine.start("make run", terminal)'),
    "make faults": Run("pyproject.toml", '"tests/faults", "tests/collector"'),
    "make sizing": Run("tests/sizing/test_sizing.py", "with serving(measure.MODELLED[row]()) as port"),
    "make lock": Run("tests/docs/test_contributor.py"),
    "make deb": Run("tests/docs/test_install.py", 'machine.run("make deb")'),
}

# Words of a sentence that look like a command, or are for a system that is none of ours.
ELSEWHERE: Final = {
    "apt purge": "tests/package purges it with dpkg",
    "docker buildx": "a name",
    "dnf install python3.11": "RHEL's",
    "helm test": "a name; with its flags it is in the table",
    "kubectl apply -k": "of the folder that the table has",
    "pip install": "a name",
}

# Of the page whose examples are all of one night, the commands that are none of these.
BESIDE: Final = {
    "kmsg-exporter watch": WATCH,
    "kmsg-exporter watch --once": Run(
        "tests/unit/commands/test_watch.py", 'with watching(tmp_path, "--once", "--interval=0.2") as process'
    ),
}

RUNS: Final = {
    "apt-get install git make python3-venv": INSTALL,
    "apt-get install make python3-venv dpkg-dev binutils": INSTALL,
    "apt install ./new.deb": INSTALL,
    "apt install --allow-downgrades ./old.deb": INSTALL,
    "pip install '.[collector]'": INSTALL,
    "pip install '.[watch]'": INSTALL,
    "pip wheel --no-deps .": INSTALL,
    "PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install "
    "'./kmsg_exporter-0.1.0-py3-none-any.whl[collector,config,web]'": INSTALL,
    "sed -i 's/datasourceUid: prometheus/datasourceUid: YOURS/' "
    "/etc/grafana/provisioning/alerting/kmsg-alerts.yaml": INSTALL,
    "systemctl stop kmsg-exporter": Run("tests/systemd/test_units.py", 'run("systemctl", "stop", AGENT)'),
    "mount -t tracefs nodev /sys/kernel/tracing": Run("tests/kernel/native.sh"),
    "openssl rand -hex 32": STRANGER,
    "ss -ltnp sport = :10144": STRANGER,
    "kmsg-exporter run --help": STRANGER,
    "dmesg -C": Run("tests/systemd/node.py", 'run("dmesg", "-C")'),
    "dmesg -c": Run("tests/image/guest/nightly.sh", "/usr/bin/dmesg -c"),
    "pytest -s tests/faults/hour.py": Run("Makefile", "pytest -s --confcutdir=tests tests/faults/hour.py"),
    ".venv/bin/python docs/generate.py": CONTRIBUTOR,
    ".venv/bin/python deploy/systemd/environment.py": CONTRIBUTOR,
    ".venv/bin/python grafana/make.py": CONTRIBUTOR,
    ".venv/bin/python tests/chart/sync.py": CONTRIBUTOR,
    ".venv/bin/python -m pytest tests/unit/push": CONTRIBUTOR,
    "kubectl -n kmsg-exporter delete daemonset kmsg-exporter": CLUSTER,
    "kubectl -n kmsg-exporter get events --field-selector reason=FailedCreate": CLUSTER,
    "kubectl -n kmsg-exporter delete pvc -l app.kubernetes.io/instance=kmsg-exporter": CLUSTER,
    "echo 'something happened' > /dev/kmsg && dmesg -C": STRANGER,
    ".venv/bin/kmsg-exporter why": STRANGER,
    ".venv/bin/kmsg-exporter recover": STRANGER,
    "kmsg-exporter run": STRANGER,
    "kmsg-exporter run --collector.embedded": STRANGER,
    "kmsg-exporter run --expected='origin=nightly-ci.sh' --expected='comm=dmesg,ancestor=/usr/sbin/cron'": STRANGER,
    r"kmsg-exporter run --push.sample=errors --push.redact='password=\S+' "
    r"--push.redact='([0-9]{1,3}\.){3}[0-9]{1,3}'": STRANGER,
    "kmsg-exporter collector": Run("tests/docs/test_stranger.py", 'machine.start("exec kmsg-exporter collector"'),
    "kmsg-exporter collector --backup /backups/kmsg.sqlite3": STRANGER,
    "kmsg-exporter why": STRANGER,
    "kmsg-exporter recover": STRANGER,
    "kmsg-exporter history": STRANGER,
    "kmsg-exporter doctor": STRANGER,
    "kmsg-exporter watch": WATCH,
    "kmsg-exporter cleanup": STRANGER,
    "curl 'http://localhost:4318/api/events?since=24h&severe=1&limit=20'": STRANGER,
    "pip install '.[collector,web]'": INSTALL,
    "apt install ./dist/kmsg-exporter_*.deb": INSTALL,
    "apt install ./kmsg-exporter_*.deb": INSTALL,
    "python3 -m venv /opt/kmsg-exporter": INSTALL,
    "/opt/kmsg-exporter/bin/pip install --require-hashes -r requirements.lock": INSTALL,
    "/opt/kmsg-exporter/bin/pip install --no-deps .": INSTALL,
    "ln -s /opt/kmsg-exporter/bin/kmsg-exporter /usr/local/bin/": INSTALL,
    "cp deploy/systemd/kmsg-exporter.service /etc/systemd/system/": INSTALL,
    "cp deploy/systemd/kmsg-exporter.default /etc/default/kmsg-exporter": INSTALL,
    "systemctl daemon-reload": INSTALL,
    "systemctl enable --now kmsg-exporter": INSTALL,
    "echo KMSG_EXPORTER_COLLECTOR_LISTEN_ADDRESS=:4318 >> /etc/default/kmsg-collector": INSTALL,
    "echo KMSG_EXPORTER_COLLECTOR_ALLOW_ANONYMOUS=yes >> /etc/default/kmsg-collector": INSTALL,
    "systemctl enable --now kmsg-collector": INSTALL,
    "echo KMSG_EXPORTER_PUSH_ENDPOINT=http://COLLECTOR:4318 >> /etc/default/kmsg-exporter": INSTALL,
    "systemctl restart kmsg-exporter": INSTALL,
    "mkdir -p /etc/grafana/dashboards/kmsg-exporter": INSTALL,
    "cp grafana/dashboards/*.json         /etc/grafana/dashboards/kmsg-exporter/": INSTALL,
    "cp grafana/provisioning/dashboards/* /etc/grafana/provisioning/dashboards/": INSTALL,
    "cp grafana/alerts/*.yaml             /etc/grafana/provisioning/alerting/": INSTALL,
    "cp grafana/provisioning/alerting/*   /etc/grafana/provisioning/alerting/": INSTALL,
    "systemctl restart grafana-server": INSTALL,
    "kubectl create namespace kmsg-exporter": CLUSTER,
    "kubectl label namespace kmsg-exporter pod-security.kubernetes.io/enforce=privileged": CLUSTER,
    "kubectl label --overwrite namespace kmsg-exporter pod-security.kubernetes.io/enforce=privileged": CLUSTER,
    "kubectl -n kmsg-exporter rollout restart daemonset/kmsg-exporter": CLUSTER,
    "kubectl -n kmsg-exporter rollout status daemonset/kmsg-exporter": CLUSTER,
    "helm -n kmsg-exporter install kmsg-exporter helm/kmsg-exporter --set collector.enabled=true": CLUSTER,
    "helm -n kmsg-exporter install kmsg-exporter helm/kmsg-exporter --set collector.enabled=true --set "
    "image.registry=registry.example.org,image.repository=kmsg-exporter,image.tag=0.1.0": Run(
        "tests/cluster/test_shown.py", 'shell(folder, f"{INSTALL} {REGISTRY} --dry-run=client")'
    ),
    "helm -n kmsg-exporter test kmsg-exporter --logs": CLUSTER,
    "helm -n kmsg-exporter upgrade kmsg-exporter helm/kmsg-exporter -f my-values.yaml": CLUSTER,
    "helm -n kmsg-exporter rollback kmsg-exporter": CLUSTER,
    "helm -n kmsg-exporter uninstall kmsg-exporter": CLUSTER,
    "kubectl -n kmsg-exporter create secret generic kmsg-exporter-web --from-file=web-config.yaml --from-file=tls.crt "
    "--from-file=tls.key --from-file=ca.crt": CLUSTER,
    "kubectl -n kmsg-exporter create secret generic kmsg-exporter-scrape --from-literal=user=prometheus "
    "--from-literal=password=...": CLUSTER,
    "kubectl -n kmsg-exporter create secret tls kmsg-gateway-tls --cert=tls.crt --key=tls.key": CLUSTER,
    "kubectl -n kmsg-exporter create secret generic kmsg-gateway-token --from-file=tokens": CLUSTER,
    "kubectl apply -k deploy/kubernetes": CLUSTER,
    "kubectl apply -k deploy/otel-collector": CLUSTER,
    "kubectl delete -k deploy/kubernetes": CLUSTER,
    "kubectl -n kube-system apply -f deploy/kubernetes/remove-state.yaml && kubectl -n kube-system rollout status "
    "daemonset/kmsg-exporter-remove-state --timeout=5m; kubectl -n kube-system delete -f "
    "deploy/kubernetes/remove-state.yaml": CLUSTER,
    "buildah build -f deploy/container/Containerfile --ignorefile deploy/container/Containerfile.dockerignore "
    "-t REGISTRY/kmsg-exporter:0.1.0 .": Run(
        "tests/image/build.sh",
        "--file deploy/container/Containerfile --ignorefile deploy/container/Containerfile.dockerignore .",
    ),
    "buildah push REGISTRY/kmsg-exporter:0.1.0": Run(
        "tests/cluster/run.sh", "buildah push --quiet localhost/kmsg-exporter:test"
    ),
    "otelcol-contrib --config gateway.yaml --config token.yaml --config to-kafka.yaml --config to-loki.yaml": Run(
        "tests/otel/gateway.py", 'for name in ("gateway.yaml", *files) for word in ("--config", SHIPPED / name)'
    ),
    "tests/kernel/boot.sh 6.1 kprobe tracepoint": Run("tests/kernel/guests.sh", "6.1 kprobe tracepoint"),
    "tests/kernel/boot.sh 6.1 --append=lockdown=integrity lockdown": Run(
        "tests/kernel/guests.sh", "6.1 --append=lockdown=integrity lockdown"
    ),
    "python tests/guest/boot.py 6.1 -i -- bash": CONTRIBUTOR,
}
