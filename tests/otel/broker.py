"""One Kafka broker on loopback, and its console consumer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from process import Program, free_port, listens

_JAVA = ("java", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j.configuration=file:/dev/null")


class Broker(Program):
    """KRaft: a controller and a broker in one process, whose log is in `folder`."""

    def __init__(self, jars: Path, folder: Path) -> None:
        self.port, controller = free_port(), free_port()
        self._jars = jars
        self._properties = folder / "server.properties"
        self._properties.write_text(
            "process.roles=broker,controller\n"
            "node.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}\n"
            "controller.listener.names=CONTROLLER\n"
            f"log.dirs={folder / 'log'}\n"
            "num.partitions=4\n"
            "offsets.topic.replication.factor=1\n"
            "group.initial.rebalance.delay.ms=0\n"
        )
        environ = {"PATH": os.environ["PATH"]}
        super().__init__(
            self._command("kafka.Kafka", self._properties),
            folder / "broker.log",
            environ=environ,
            ready=lambda: listens(self.port),
        )

    def format(self) -> None:
        """Before its first start."""
        shutil.rmtree(self._properties.parent / "log", ignore_errors=True)
        cluster = self._run("kafka.tools.StorageTool", "random-uuid").split()[-1]
        self._run("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._properties)

    def lines(self, topic: str) -> list[str]:
        """Every message of a topic, from its beginning."""
        reach = ("--topic", topic, "--from-beginning", "--timeout-ms", "8000")
        server = ("--bootstrap-server", f"127.0.0.1:{self.port}")
        return self._run("org.apache.kafka.tools.consumer.ConsoleConsumer", *server, *reach).splitlines()

    def _command(self, main: str, *words: str | Path) -> list[str | Path]:
        return [*_JAVA, "-cp", f"{self._jars}/*", main, *words]

    def _run(self, main: str, *words: str | Path) -> str:
        done = subprocess.run(self._command(main, *words), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout
