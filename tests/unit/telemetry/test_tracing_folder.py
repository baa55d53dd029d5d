"""The configuration in `tracing/` agrees with itself, with its README and with what the package does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from partisan_actors.telemetry.events import ATTRIBUTES, RESOURCE_ATTRIBUTES, SPANS, CallStatus
from partisan_actors.telemetry.resource import DEFAULT_SERVICE_NAME

FOLDER = Path(__file__).parents[3] / "tracing"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def load(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def published() -> dict[str, dict[str, str]]:
    """Service to published port to port in the container."""
    services = load("compose.yaml")["services"]
    return {
        name: {port.split(":")[1]: port.split(":")[2] for port in service["ports"]}
        for name, service in services.items()
    }


def test_every_port_is_bound_to_this_machine_only() -> None:
    for service in load("compose.yaml")["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_jaeger_is_published_where_its_own_defaults_are() -> None:
    assert published()["jaeger"] == {"16686": "16686", "4317": "4317", "4318": "4318"}


def test_no_port_is_published_twice() -> None:
    ports = [port for service in published().values() for port in service]

    assert len(ports) == len(set(ports))


def test_the_readme_lists_exactly_the_ports_that_are_published() -> None:
    listed = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))

    assert listed == {port for service in published().values() for port in service}


def test_every_port_in_an_address_of_the_readme_is_published() -> None:
    mentioned = set(re.findall(r"127\.0\.0\.1:(\d+)", README))

    assert mentioned
    assert mentioned <= {port for service in published().values() for port in service}


def test_images_are_pinned_to_a_version() -> None:
    for service in load("compose.yaml")["services"].values():
        assert re.search(r":\d+\.\d+\.\d+$", service["image"])


def test_the_collector_listens_where_compose_publishes_it_and_sends_to_jaeger() -> None:
    collector = load("collector.yaml")
    protocols = collector["receivers"]["otlp"]["protocols"]

    listening = {protocol["endpoint"].split(":")[1] for protocol in protocols.values()}
    assert listening == set(published()["collector"].values())
    assert collector["exporters"]["otlp/jaeger"]["endpoint"].split(":") == ["jaeger", "4317"]


def test_every_part_of_the_collectors_pipeline_is_configured() -> None:
    collector = load("collector.yaml")

    for pipeline in collector["service"]["pipelines"].values():
        for part in ("receivers", "processors", "exporters"):
            assert pipeline[part]
            assert set(pipeline[part]) <= set(collector[part])


def test_the_collector_reads_the_folder_that_compose_mounts() -> None:
    (pattern,) = load("collector.yaml")["receivers"]["otlpjsonfile"]["include"]
    volumes = load("compose.yaml")["services"]["collector"]["volumes"]

    assert any(volume.split(":")[1] == str(Path(pattern).parent) for volume in volumes)
    assert any(volume.split(":")[0] == "./collector.yaml" for volume in volumes)


@pytest.mark.parametrize("key", sorted(set(re.findall(r"`(partisan(?:\.[a-z_]+)+)`", README))))
def test_every_attribute_of_the_readme_is_in_the_table(key: str) -> None:
    assert key in {**ATTRIBUTES, **RESOURCE_ATTRIBUTES}


def test_every_span_of_the_table_is_in_the_readme() -> None:
    examples = {
        "{class}": "Bank",
        "{method}": "pay",
        "{channel}": "calls",
        "{topic}": "prices",
        "{message}": "forward_join",
    }

    for shape in SPANS:
        name = shape.name
        for placeholder, example in examples.items():
            name = name.replace(placeholder, example)
        assert f"`{name}`" in README


def test_the_readme_uses_the_names_the_code_has() -> None:
    assert f"`{DEFAULT_SERVICE_NAME}`" in README
    for status in ("TIMEOUT", "ACTOR_DIED", "MAILBOX_FULL"):
        assert f"`{status}`" in README
        assert status in CallStatus.__members__
