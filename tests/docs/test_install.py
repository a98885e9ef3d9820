"""The ways to install it that the pages show, command by command, in a copy of this machine, where no systemd runs."""

from __future__ import annotations

from copy_of_machine import CHECKOUT, Machine, get

# What systemctl is told is written down: nobody listens to it here. tests/systemd and tests/package have a real one.
SYSTEMCTL = '#!/bin/sh\necho "systemctl $*" >> /systemctl.log\n'
TOLD = "/systemctl.log"

SYSTEMD = """\
python3 -m venv /opt/kmsg-exporter
/opt/kmsg-exporter/bin/pip install --require-hashes -r requirements.lock
/opt/kmsg-exporter/bin/pip install --no-deps .
ln -s /opt/kmsg-exporter/bin/kmsg-exporter /usr/local/bin/
cp deploy/systemd/kmsg-exporter.service /etc/systemd/system/
cp deploy/systemd/kmsg-exporter.default /etc/default/kmsg-exporter
systemctl daemon-reload
systemctl enable --now kmsg-exporter
"""
COLLECTOR = """\
echo KMSG_EXPORTER_COLLECTOR_LISTEN_ADDRESS=:4318 >> /etc/default/kmsg-collector
echo KMSG_EXPORTER_COLLECTOR_ALLOW_ANONYMOUS=yes >> /etc/default/kmsg-collector
systemctl enable --now kmsg-collector
"""
NODE = """\
echo KMSG_EXPORTER_PUSH_ENDPOINT=http://COLLECTOR:4318 >> /etc/default/kmsg-exporter
systemctl restart kmsg-exporter
"""
GRAFANA = """\
mkdir -p /etc/grafana/dashboards/kmsg-exporter
cp grafana/dashboards/*.json         /etc/grafana/dashboards/kmsg-exporter/
cp grafana/provisioning/dashboards/* /etc/grafana/provisioning/dashboards/
cp grafana/alerts/*.yaml             /etc/grafana/provisioning/alerting/
cp grafana/provisioning/alerting/*   /etc/grafana/provisioning/alerting/
systemctl restart grafana-server
"""
ANOTHER_SOURCE = """
sed -i 's/datasourceUid: prometheus/datasourceUid: YOURS/' /etc/grafana/provisioning/alerting/kmsg-alerts.yaml
"""
PIPX = (
    "pip wheel --no-deps .\n"
    "PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install "
    "'./kmsg_exporter-0.1.0-py3-none-any.whl[collector,config,web]'"
)


def with_systemctl(machine: Machine) -> None:
    machine.write("/opt/stub/systemctl", SYSTEMCTL, mode="755")
    machine.run(f"rm -f {TOLD}")


def run(machine: Machine, commands: str) -> list[str]:
    """What systemctl was told."""
    with_systemctl(machine)
    machine.run(f"PATH=/opt/stub:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n{commands}")
    return machine.read(TOLD).splitlines()


def test_the_unit_is_installed_without_the_package(machine: Machine) -> None:
    assert run(machine, SYSTEMD) == ["systemctl daemon-reload", "systemctl enable --now kmsg-exporter"]
    assert machine.run("systemd-analyze verify /etc/systemd/system/kmsg-exporter.service").stderr == ""
    said = machine.run("PATH=/usr/local/bin:/usr/bin:/bin\nkmsg-exporter doctor", allowed=(0, 1)).stdout
    assert "extra [collector]" in said
    program = machine.run("sed -n 's/^ExecStart=\\([^ ]*\\).*/\\1/p' /etc/systemd/system/kmsg-exporter.service").stdout
    assert machine.run(f"command -v {program.strip()} || command -v kmsg-exporter").stdout


def test_the_node_sends_where_it_is_told_to(machine: Machine) -> None:
    assert run(machine, NODE) == ["systemctl restart kmsg-exporter"]
    assert machine.read("/etc/default/kmsg-exporter").endswith("\nKMSG_EXPORTER_PUSH_ENDPOINT=http://COLLECTOR:4318\n")


def test_the_collector_listens_to_nodes_once_it_is_told_that_it_may(machine: Machine) -> None:
    machine.run("cp deploy/systemd/kmsg-collector.default /etc/default/kmsg-collector")
    assert run(machine, COLLECTOR) == ["systemctl enable --now kmsg-collector"]
    started = (
        "set -a; . /etc/default/kmsg-collector; timeout -s INT 5 /opt/kmsg-exporter/bin/kmsg-exporter collector & "
        "for n in $(seq 100); do curl -s http://[::1]:4318/-/ready && break; sleep 0.1; done; wait %1"
    )
    assert machine.run(started, allowed=(0, 124)).stdout == "ready\n"
    assert get("http://localhost:4318/-/ready") == ""


def test_grafana_gets_its_files(machine: Machine) -> None:
    machine.run("mkdir -p /etc/grafana/provisioning/dashboards /etc/grafana/provisioning/alerting")
    assert run(machine, GRAFANA) == ["systemctl restart grafana-server"]
    there = machine.run("cd /etc/grafana && find . -type f").stdout.split()
    assert {"./dashboards/kmsg-exporter/kmsg-fleet.json", "./provisioning/alerting/kmsg-alerts.yaml"} <= set(there)
    machine.run(ANOTHER_SOURCE)
    alerts = machine.read("/etc/grafana/provisioning/alerting/kmsg-alerts.yaml")
    assert ("datasourceUid: YOURS" in alerts, "datasourceUid: prometheus" in alerts) == (True, False)


def test_the_collector_is_installed_by_pip_from_the_checkout(machine: Machine) -> None:
    machine.run("python3 -m venv /opt/pip")
    machine.run("PATH=/opt/pip/bin:$PATH\npip install '.[collector,web]'")
    assert "--collector.listen-address" in machine.run("/opt/pip/bin/kmsg-exporter collector --help").stdout
    machine.run("PATH=/opt/pip/bin:$PATH\npip install '.[collector]'")
    machine.run("PATH=/opt/pip/bin:$PATH\npip install '.[watch]'")


def test_pipx_installs_the_wheel(machine: Machine) -> None:
    machine.run("apt-get install -y pipx")
    machine.run("rm -f /usr/local/bin/kmsg-exporter")
    machine.run(f"PATH=/opt/pip/bin:$PATH:/usr/bin\n{PIPX}")
    assert machine.run("/usr/local/bin/kmsg-exporter --version").stdout.startswith("kmsg-exporter ")


def test_the_package_is_made_and_installed(machine: Machine) -> None:
    machine.run("rm -f /usr/local/bin/kmsg-exporter /etc/default/kmsg-* /etc/systemd/system/kmsg-exporter.service")
    machine.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')  # what a person answers
    machine.run("apt-get install git make python3-venv")
    machine.run("apt-get install make python3-venv dpkg-dev binutils")
    machine.run("make deb")
    machine.run("apt install ./dist/kmsg-exporter_*.deb")
    assert machine.run("/usr/bin/kmsg-exporter --version").stdout.startswith("kmsg-exporter ")
    machine.run(f"cp {CHECKOUT}/dist/*.deb /srv")
    machine.run("cd /srv\napt install ./kmsg-exporter_*.deb")
    machine.run(
        "cp /srv/*.deb /srv/new.deb && DIST=/srv/old deploy/debian/build.sh 0.0.9 && mv /srv/old/*.deb /srv/old.deb"
    )
    machine.run("cd /srv\napt install --allow-downgrades ./old.deb")
    assert machine.run("dpkg-query -W -f '${Version}' kmsg-exporter").stdout == "0.0.9"
    machine.run("cd /srv\napt install ./new.deb")
    assert machine.run("dpkg-query -W -f '${Version}' kmsg-exporter").stdout != "0.0.9"
