"""Reads the patterns of documents from `lightfast.yml` or from an integration's settings.

Whoever may push writes the file, so only texts are built from it: a tag or a repeated name is a
mistake, an alias stands for the list that it names, and secrets are masked in messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from lightfast_pipelines.domain.document_patterns import DocumentPatterns
from lightfast_pipelines.domain.secrets.masking import mask_text

CONFIG_FILES = ("lightfast.yml", "lightfast.yaml")
"""Where a repository names its documents; the first that exists counts."""
MOST_BYTES = 32_768
_MOST_PATTERNS, _LONGEST_PATTERN = 100, 200
_KNOWN = ("version", "include", "exclude")
_TEXT, _NUMBER = "tag:yaml.org,2002:str", "tag:yaml.org,2002:int"


class ConfigError(ValueError):
    """What is wrong, and in which line (from 1) if it is in a file."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line else message)


def parse_config(content: bytes) -> DocumentPatterns:
    """The patterns that a file names. Raises ConfigError."""
    if len(content) > MOST_BYTES:
        raise ConfigError(f"it has {len(content):,} bytes, more than {MOST_BYTES:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("it is not UTF-8", content.count(b"\n", 0, error.start) + 1) from None
    root = _composed(text)
    if root is None:
        raise ConfigError(f"it is empty: {_EXAMPLE}", 1)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"names with values are expected: {_EXAMPLE}", _line(root))
    found: dict[str, yaml.Node] = {}
    for key, value in root.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "a list"
        if name not in _KNOWN:
            raise ConfigError(
                f"{_quoted(name)} is not known; known: {', '.join(_KNOWN)}", _line(key)
            )
        if name in found:
            raise ConfigError(f"{name!r} is there twice", _line(key))
        found[name] = value
    version = found.get("version")
    if version is not None and (version.tag, version.value) != (_NUMBER, "1"):
        raise ConfigError("the only version is 1", _line(version))
    if "include" not in found:
        raise ConfigError(f"'include' is missing: {_EXAMPLE}", _line(root))
    return DocumentPatterns(
        _patterns_of("include", found["include"]),
        _patterns_of("exclude", found["exclude"]) if "exclude" in found else (),
    )


def patterns_of_settings(settings: Any) -> DocumentPatterns:
    """The patterns in `sync_config.documents`. Raises ConfigError."""
    if not isinstance(settings, Mapping):
        raise ConfigError("'documents' is not an object with 'include'")
    unknown = sorted(set(settings) - {"include", "exclude"})
    if unknown:
        raise ConfigError(f"{_quoted(unknown[0])} is not known; known: include, exclude")
    chosen = []
    for name in ("include", "exclude"):
        patterns = settings.get(name, [])
        if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
            raise ConfigError(f"{name!r} is not a list of texts")
        chosen.append(tuple(_checked(name, each, None) for each in _bounded(name, patterns, None)))
    return DocumentPatterns(chosen[0], chosen[1])


_EXAMPLE = 'write for example `include: ["docs/**", "*.md"]`'


def _composed(text: str) -> yaml.Node | None:
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError("a character that YAML does not allow", line) from None
    try:
        # Only nodes: no object is made, and an alias stays one.
        node: yaml.Node | None = loader.get_single_node()
        return node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = mask_text(error.problem or error.context or "it is not YAML")[:200]
        if error.context == "while scanning an alias":
            problem += "; a pattern that begins with * is quoted"
        raise ConfigError(problem, mark.line + 1 if mark else None) from None
    except (ValueError, OverflowError):
        # The library raises these itself, for `\UFFFFFFFF` and a version of thousands of digits.
        raise ConfigError("a number that YAML does not allow", loader.line + 1) from None
    except RecursionError:
        raise ConfigError("lists or objects are nested too deeply", loader.line + 1) from None


def _patterns_of(name: str, node: yaml.Node) -> tuple[str, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise ConfigError(f"{name!r} is not a list of patterns", _line(node))
    patterns = []
    for each in _bounded(name, node.value, _line(node)):
        if not isinstance(each, yaml.ScalarNode) or each.tag != _TEXT:
            raise ConfigError(f"a pattern of {name!r} is not a text: quote it", _line(each))
        patterns.append(_checked(name, each.value, _line(each)))
    return tuple(patterns)


def _bounded(name: str, patterns: list[Any], line: int | None) -> list[Any]:
    if name == "include" and not patterns:
        raise ConfigError(f"'include' names nothing: {_EXAMPLE}", line)
    if len(patterns) > _MOST_PATTERNS:
        raise ConfigError(
            f"{name!r} has {len(patterns):,} patterns, more than {_MOST_PATTERNS}", line
        )
    return patterns


def _checked(name: str, pattern: str, line: int | None) -> str:
    if not pattern.strip("/. ") or len(pattern) > _LONGEST_PATTERN or not pattern.isprintable():
        raise ConfigError(
            f"a pattern of {name!r} is empty, longer than {_LONGEST_PATTERN} characters or not printable",
            line,
        )
    if pattern.startswith("!"):
        raise ConfigError(f"{_quoted(pattern)}: 'exclude' takes the place of '!'", line)
    if "\\" in pattern or ".." in pattern.split("/"):
        raise ConfigError(
            f"{_quoted(pattern)}: a path has / between its names and begins at the repository", line
        )
    return pattern


def _quoted(text: str) -> str:
    """For a message, which analysts read. Masked before it is cut, as half a secret is not recognised."""
    return repr(mask_text(text)[:50])


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
