"""The configuration in `tracing/` agrees with itself, with its README and with what the package does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from partisan_actors.cli.dashboard import dashboard
from partisan_actors.dashboard.options import DEFAULT_PORT
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


# ---------------------------------------------------------------------------------------- Helm, Grafana


def image_of(values: dict[str, Any]) -> str:
    return f"{values['repository']}:{values['tag']}"


def test_helm_starts_the_images_that_compose_does() -> None:
    services = load("compose.yaml")["services"]

    assert image_of(load("helm/jaeger.yaml")["jaeger"]["image"]) == services["jaeger"]["image"]
    assert image_of(load("helm/collector.yaml")["image"]) == services["collector"]["image"]


def test_helms_collector_has_configured_all_that_its_pipeline_names_and_sends_to_helms_jaeger() -> None:
    config = load("helm/collector.yaml")["config"]

    for pipeline in config["service"]["pipelines"].values():
        for part in ("receivers", "processors", "exporters"):
            assert pipeline[part] and set(pipeline[part]) <= set(config[part])
    assert config["receivers"]["otlp"] == load("collector.yaml")["receivers"]["otlp"]
    host, port = config["exporters"]["otlp/jaeger"]["endpoint"].split(":")
    assert (host, port) == (load("helm/jaeger.yaml")["fullnameOverride"], "4317")


def test_helms_collector_decides_in_one_place_and_by_an_attribute_that_there_is() -> None:
    values = load("helm/collector.yaml")
    policies = {policy["type"]: policy for policy in values["config"]["processors"]["tail_sampling"]["policies"]}

    assert values["mode"] == "deployment" and values["replicaCount"] == 1
    assert ATTRIBUTES[policies["boolean_attribute"]["boolean_attribute"]["key"]] is bool
    assert set(policies) == {"status_code", "latency", "boolean_attribute", "probabilistic"}


def test_helm_opens_nothing_to_others_and_makes_no_database() -> None:
    values = load("helm/jaeger.yaml")

    assert values["jaeger"]["ingress"] == {"enabled": False}
    assert not any(values["provisionDataStore"].values()) and values["storage"]["type"] == "memory"
    assert values["jaeger"]["replicas"] == 1


def test_grafana_asks_a_dashboard_where_it_is_and_as_it_wants_to_be_asked() -> None:
    (source,) = load("grafana/datasources.yaml")["datasources"]

    assert (source["type"], source["url"]) == ("jaeger", f"http://127.0.0.1:{DEFAULT_PORT}")
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source["secureJsonData"]["httpHeaderValue1"] == "Bearer ${PARTISAN_DASHBOARD_TOKEN}"
    assert "PARTISAN_DASHBOARD_TOKEN" in {option.envvar for option in dashboard.params}


@pytest.mark.parametrize("path", sorted(re.findall(r"`?(?:tracing/)?((?:helm|grafana|registry)/[\w./-]*)`?", README)))
def test_every_file_that_the_readme_names_is_there(path: str) -> None:
    assert (FOLDER / path).exists()
