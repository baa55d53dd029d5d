"""The attributes of the node and its process."""

from __future__ import annotations

import os

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.events import RESOURCE_ATTRIBUTES
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.resource import resource_attributes

ADA = NodeId("ada", 255)


def test_gives_every_attribute_of_the_table_in_its_type() -> None:
    attributes = resource_attributes(ADA, "shop", TracingOptions(), {})

    assert {key: type(value) for key, value in attributes.items()} == dict(RESOURCE_ATTRIBUTES)


def test_an_instance_is_a_node_in_a_process() -> None:
    attributes = resource_attributes(ADA, "shop", TracingOptions(), {"service.instance.id": "other"})

    assert attributes["service.instance.id"] == f"ada~ff/{os.getpid()}"


@pytest.mark.parametrize(
    ("known", "option", "expected"),
    [
        ("", "", "partisan-actors"),
        ("unknown_service:python", "", "partisan-actors"),
        ("billing", "", "billing"),
        ("billing", "mine", "mine"),
    ],
)
def test_a_name_is_the_options_or_what_is_known_or_ours(known: str, option: str, expected: str) -> None:
    attributes = resource_attributes(ADA, "shop", TracingOptions(service_name=option), {"service.name": known})

    assert attributes["service.name"] == expected


def test_what_the_user_says_of_the_service_is_not_replaced() -> None:
    known = {"service.version": "9", "service.namespace": "mine"}

    attributes = resource_attributes(ADA, "shop", TracingOptions(), known)

    assert not attributes.keys() & known.keys()


def test_a_cluster_without_a_name_is_no_namespace() -> None:
    assert "service.namespace" not in resource_attributes(ADA, "", TracingOptions(), {})
