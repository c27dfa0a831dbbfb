"""Apache Kafka: one node for the ordinary tests, three for those that kill brokers; each with plain, password and TLS listeners."""

from __future__ import annotations

import shutil
import signal
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from support.backends.cache import run
from support.backends.fetching import kafka_jars
from support.backends.process import ServerProcess, free_ports

ADMIN, WRITER, STRANGER = ("admin", "admin-password"), ("writer", "writer-password"), ("stranger", "stranger-password")
"""Accounts of the password listeners: may do everything; may write and read; may do nothing."""


@dataclass
class KafkaNode:
    """One broker, which is a controller too."""

    number: int
    folder: Path
    plain: int
    controller: int
    password: int
    tls: int
    process: ServerProcess | None = None

    def kill(self) -> None:
        """End the broker with `kill -9`; its data stay."""
        assert self.process is not None
        self.process.signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class Kafka:
    """A running cluster. Ports stay the same when a node is killed and started again."""

    nodes: list[KafkaNode]
    cluster_id: str
    certificates: Path
    process: KafkaProcesses = field(init=False)

    def __post_init__(self) -> None:
        self.process = KafkaProcesses(self)

    @property
    def brokers(self) -> list[str]:
        """Addresses of the plain-text listeners."""
        return [f"127.0.0.1:{node.plain}" for node in self.nodes]

    @property
    def password_brokers(self) -> list[str]:
        """Addresses of the listeners that want a password (PLAIN or SCRAM), without TLS."""
        return [f"127.0.0.1:{node.password}" for node in self.nodes]

    @property
    def tls_brokers(self) -> list[str]:
        """Addresses of the listeners that speak TLS."""
        return [f"127.0.0.1:{node.tls}" for node in self.nodes]

    @property
    def ca_file(self) -> Path:
        """The authority that the TLS listeners' certificates are from."""
        return self.certificates / "ca.pem"

    def start(self, node: KafkaNode) -> None:
        """Start a node, or start it again after `kill`."""
        jars = kafka_jars()
        node.process = ServerProcess(
            f"kafka-{node.number}",
            ["java", "-Xmx320m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*", "kafka.Kafka", "server.properties"],
            folder=node.folder,
        )  # fmt: skip

    def wait(self) -> None:
        """Wait until every node that runs serves its part of the cluster."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        running = [node for node in self.nodes if node.process is not None and node.process.running]
        admin = AdminClient({"bootstrap.servers": ",".join(self.brokers), "log_level": 0})

        def ready() -> bool:
            try:
                return len(admin.list_topics(timeout=2).brokers) >= len(running)
            except KafkaException:
                return False

        running[0].process.wait_until(ready)


class KafkaProcesses:
    """The cluster's processes under the name that other servers have theirs: one to stop, one log to show."""

    def __init__(self, cluster: Kafka) -> None:
        self._cluster = cluster

    @property
    def group(self) -> int:
        """The process group of the first node; the others are configured as it is."""
        first = self._cluster.nodes[0].process
        assert first is not None
        return first.group

    def log_tail(self) -> str:
        """Return the last lines of every node's log."""
        return "\n".join(node.process.log_tail() for node in self._cluster.nodes if node.process is not None)

    def stop(self) -> None:
        """End every node and remove its data."""
        for node in self._cluster.nodes:
            if node.process is not None:
                node.process.stop()
            shutil.rmtree(node.folder, ignore_errors=True)
        shutil.rmtree(self._cluster.certificates, ignore_errors=True)


def start_kafka(nodes: int = 1) -> Kafka:
    """Start a cluster of so many nodes on free loopback ports."""
    kafka_jars()
    ports = free_ports(4 * nodes)
    cluster = Kafka(
        [
            KafkaNode(
                number + 1,
                Path(tempfile.mkdtemp(prefix="tracebridge-kafka-")),
                *cast(Any, ports[4 * number : 4 * number + 4]),
            )
            for number in range(nodes)
        ],
        cluster_id=uuid.uuid4().hex[:22],
        certificates=_certificates(),
    )
    for node in cluster.nodes:
        (node.folder / "server.properties").write_text(_properties(cluster, node))
        _format(cluster, node)
        cluster.start(node)
    try:
        cluster.wait()
    except BaseException:
        cluster.process.stop()
        raise
    return cluster


def _certificates() -> Path:
    import trustme
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    folder = Path(tempfile.mkdtemp(prefix="tracebridge-kafka-tls-"))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("127.0.0.1", "localhost")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # Java reads no other form
    (folder / "server.pem").write_bytes(pkcs8 + b"".join(each.bytes() for each in issued.cert_chain_pems))
    return folder


def _format(cluster: Kafka, node: KafkaNode) -> None:
    accounts = [
        part
        for name, password in (ADMIN, WRITER, STRANGER)
        for part in ("--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]")
    ]
    java = ["java", "-cp", f"{kafka_jars()}/*", "kafka.tools.StorageTool"]
    run(
        f"formatting Kafka's node {node.number}",
        [*java, "format", "-t", cluster.cluster_id, "-c", "server.properties", *accounts],
        node.folder,
    )


def _properties(cluster: Kafka, node: KafkaNode) -> str:
    copies = min(3, len(cluster.nodes))
    users = " ".join(f'user_{name}="{password}"' for name, password in (ADMIN, WRITER, STRANGER))
    plain_login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
    lines = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": ",".join(f"{each.number}@127.0.0.1:{each.controller}" for each in cluster.nodes),
        "listeners": f"PLAINTEXT://127.0.0.1:{node.plain},CONTROLLER://127.0.0.1:{node.controller},"
        f"SASL_PLAINTEXT://127.0.0.1:{node.password},SSL://127.0.0.1:{node.tls}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": plain_login,
        "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": cluster.certificates / "server.pem",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{ADMIN[0]};User:{WRITER[0]}",
        "log.dirs": node.folder / "data",
        "num.partitions": 3,
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 3,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": 1,
        "default.replication.factor": copies,
        "min.insync.replicas": 2 if copies == 3 else 1,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
    }  # fmt: skip
    return "".join(f"{key}={value}\n" for key, value in lines.items())
