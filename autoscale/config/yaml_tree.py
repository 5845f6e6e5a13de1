"""What YAML allows and no file of ours may have: aliases without end, levels without end, keys given twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ALIASED = 1_000_000  # values that aliases may add; a few lines of them can stand for billions
_LEVELS = 200
_MERGE = "tag:yaml.org,2002:merge"
_FLOAT = "tag:yaml.org,2002:float"


def compose(get_node: Callable[[], yaml.Node | None], *, strict: bool = False) -> yaml.Node | None:
    """The next document's tree from a loader. Raises YAMLError, with the line, when it is none that we take.

    With `strict` keys given twice and numbers that JSON does not have, such as .nan, are refused too.
    """
    try:
        root = get_node()
    except RecursionError as error:
        raise yaml.YAMLError(f"more than {_LEVELS} levels") from error
    if root is not None:
        _check(root, strict=strict)
    return root


def _check(root: yaml.Node, *, strict: bool) -> None:
    """Walk the tree, each node once however often it is an alias, and count what it stands for."""
    size: dict[int, int] = {}  # of nodes that are done, with all that is in them; 0 while they are open
    stack: list[tuple[yaml.Node, Iterator[yaml.Node]]] = []

    def enter(node: yaml.Node) -> None:
        found = size.get(id(node))
        if found == 0:
            _refuse("an alias stands for what it is in", node)
        if found is None:
            if len(stack) >= _LEVELS:
                _refuse(f"more than {_LEVELS} levels", node)
            _check_node(node, strict=strict)
            size[id(node)] = 0
            stack.append((node, iter(_children(node))))

    enter(root)
    while stack:
        node, rest = stack[-1]
        child = next(rest, None)
        if child is not None:
            enter(child)
            continue
        stack.pop()
        size[id(node)] = 1 + sum(size[id(each)] for each in _children(node))
        if size[id(node)] > len(size) + _ALIASED:
            _refuse("aliases make it too large", node)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _check_node(node: yaml.Node, *, strict: bool) -> None:
    if not strict:
        return
    if isinstance(node, yaml.MappingNode):
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    _refuse(f"the key {key.value} is given twice", key)
                seen.add((key.tag, key.value))
    elif node.tag == _FLOAT and node.value.lower().lstrip("+-") in (".nan", ".inf"):
        _refuse(f"{node.value} is no number", node)


def _refuse(problem: str, node: yaml.Node) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
