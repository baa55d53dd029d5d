"""Tests of the overlay as text for Graphviz."""

from __future__ import annotations

from partisan_actors.cli.dot import overlay_dot, tree_dot


def test_a_link_that_both_ends_have_is_drawn_once_and_without_an_arrow() -> None:
    text = overlay_dot("c", {"a": ["b"], "b": ["a"]}, {})

    assert text == 'digraph "c" {\n  "a";\n  "b";\n  "a" -> "b" [dir=none];\n}'


def test_a_link_of_one_end_is_red_and_one_to_a_silent_node_is_not() -> None:
    text = overlay_dot("c", {"a": ["b", "silent"], "b": []}, {})

    assert '"a" -> "b" [color=red, style=dashed];' in text
    assert '"a" -> "silent" [dir=none];' in text


def test_passive_neighbours_are_dotted() -> None:
    assert '"a" -> "z" [color=gray, style=dotted' in overlay_dot("c", {"a": []}, {"a": ["z"]})


def test_quotes_in_the_name_of_a_cluster_do_not_end_it() -> None:
    assert overlay_dot('c" {', {}, {}).startswith('digraph "c\\" {" {')


def test_a_tree_has_its_root_and_both_kinds_of_links() -> None:
    text = tree_dot("a", {"a": ["b"], "b": []}, {"b": ["c"]})

    assert '"a" [shape=doublecircle];' in text and '"a" -> "b";' in text
    assert '"b" -> "c" [color=gray, style=dotted' in text
