"""A YAML file as plain text values, with the line that each of them stands on."""

from pathlib import Path
from typing import cast

import yaml

from audit.errors import ExtractRefused

Step = str | int
Path_ = tuple[Step, ...]
Value = str | None | list["Value"] | dict[str, "Value"]


class Lines:
    """The lines of a mapping file, to name the one that is wrong."""

    def __init__(self, file: Path) -> None:
        """Read `file`; `content` is what it says.

        Every scalar stays text, so that a source's `NO` is not read as a boolean and `007` not as
        a number; only an unquoted null is null.

        Raises:
            ExtractRefused: it is not YAML, or says a key twice.
        """
        self.file = file
        self._lines: dict[Path_, int] = {}
        try:
            node = yaml.compose(file.read_text("utf-8-sig"), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            mark = getattr(problem, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            raise ExtractRefused(
                f"mapping {file.name}, line {line}: not YAML: "
                f"{getattr(problem, 'problem', None) or problem}",
                "correct the line",
            ) from problem
        self.content = self._plain(node, ()) if node else {}

    def refused(self, path: Path_, found: str, todo: str) -> ExtractRefused:
        """The refusal for what stands at `path` (or the nearest thing above it that exists)."""
        while path not in self._lines and path:
            path = path[:-1]
        line = self._lines.get(path, 1)
        return ExtractRefused(f"mapping {self.file.name}, line {line}: {found}", todo)

    def _plain(self, node: yaml.Node, path: Path_) -> Value:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            content: dict[str, Value] = {}
            for key_node, value in node.value:
                key = str(key_node.value)
                self._lines[(*path, key)] = key_node.start_mark.line + 1
                if key in content:
                    raise self.refused((*path, key), f"{key} is said twice", "keep one of the two")
                content[key] = self._plain(value, (*path, key))
            return content
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, at)) for at, item in enumerate(node.value)]
        return None if node.tag == "tag:yaml.org,2002:null" else cast(str, node.value)
