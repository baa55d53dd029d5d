"""What Ray gives to every class that actors are made of."""

from __future__ import annotations

from typing import Any

from partisan_actors.actors.actor import Definition
from partisan_actors.compat.ray.builtin_methods import give_methods


def test_a_class_gets_three_methods_that_can_be_called_from_afar() -> None:
    class Plain:
        def one(self) -> int:
            return 1

    give_methods(Plain)

    assert set(Definition.of(Plain).interface.methods) == {"one", "__ray_ready__", "__ray_call__", "__ray_terminate__"}
    plain: Any = Plain()
    assert plain.__ray_ready__() is True
    assert plain.__ray_call__(lambda self, more: self.one() + more, more=2) == 3


def test_what_a_class_has_itself_stays() -> None:
    class Own:
        def __ray_ready__(self) -> str:
            return "mine"

        def on_stop(self) -> str:
            return "mine"

        def __ray_shutdown__(self) -> None: ...

    give_methods(Own)

    assert Own().__ray_ready__() == "mine"
    assert Own().on_stop() == "mine"


def test_ray_s_hook_for_the_end_is_called_unless_the_actor_was_killed() -> None:
    called: list[str] = []

    class Hooked:
        def __ray_shutdown__(self) -> None:
            called.append("called")

    give_methods(Hooked)
    hooked: Any = Hooked()
    hooked.on_stop("killed")
    assert not called
    hooked.on_stop("normal")
    assert called == ["called"]


def test_a_class_that_takes_no_attributes_goes_without() -> None:
    give_methods(dict)

    assert not hasattr(dict, "__ray_ready__")
