"""Where the keys and values of a YAML file stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

Path = tuple[str | int, ...]


def nodes(node: yaml.Node, path: Path = (), above: tuple[yaml.Node, ...] = ()) -> Iterator[tuple[Path, Any, Any]]:
    """(path, key's node or None, value's node) of everything in the file.

    Raises:
        yaml.YAMLError: an alias stands for what it is in.
    """
    if node in above:
        raise yaml.MarkedYAMLError(problem="an alias contains itself", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key, value
            yield from nodes(value, (*path, key.value), (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), None, value
            yield from nodes(value, (*path, index), (*above, node))
