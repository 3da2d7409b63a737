"""Divides a document into parts that are embedded and found: its sections, and pieces of long ones.

`document_headings.py` finds the sections. Secrets are masked before anything is divided, so that none
is cut in two and overlooked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from lightfast_pipelines.domain.document_headings import Section, read_sections
from lightfast_pipelines.domain.secrets.masking import MASK, mask_text

RULE_VERSION = 2
"""Raised when parts of the same file change: then every document is divided again."""
TARGET = 512
"""Tokens of a part, about; a shorter section is one part."""
OVERLAP = 50
"""Tokens that two parts of a section share, so that a sentence on their border is whole in one."""
MOST_CHUNKS = 2_500
"""Parts of a document. One of the largest size has 450, unless every line is a heading."""

# About a token of an embedding model: up to eight letters, one sign, or one character of a script
# without spaces. On this project's pages there are 0.91 of them for each token of the local model.
_PIECE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w{1,8}|[^\w\s]")
_LONGEST_TITLE = 200
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class Chunk(NamedTuple):
    """A part of a document; lines count from 1."""

    heading_path: tuple[str, ...]
    text: str
    first_line: int
    last_line: int
    tokens: int

    @property
    def embedded_text(self) -> str:
        """With its headings, as a part may not say what it is about."""
        return "\n\n".join((" > ".join(self.heading_path), self.text)).strip()


class ChunkedDocument(NamedTuple):
    """A document's title and its parts."""

    title: str
    chunks: tuple[Chunk, ...]


class UnreadableDocumentError(ValueError):
    """The file cannot be divided into parts; the message says why."""


def chunk_document(path: str, content: bytes) -> ChunkedDocument:
    """The file's title and parts. Raises UnreadableDocumentError."""
    text = _masked(_decoded(content))
    outline = read_sections(path, text)
    chunks: list[Chunk] = []
    for section in outline.sections:
        chunks += _parts(section)
        if len(chunks) > MOST_CHUNKS:
            raise UnreadableDocumentError(f"it has more than {MOST_CHUNKS:,} parts")
    title = outline.title or mask_text(path.rpartition("/")[2])
    return ChunkedDocument(title[:_LONGEST_TITLE], tuple(chunks))


def _decoded(content: bytes) -> str:
    if content.startswith(_LFS_POINTER):
        raise UnreadableDocumentError("it is kept in Git LFS, and the repository holds its address")
    if b"\0" in content:
        raise UnreadableDocumentError("it holds zero bytes: not a text, or not UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableDocumentError(f"line {line} is not UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _masked(text: str) -> str:
    """The text with its secrets masked and as many lines as before, so that lines can be named."""
    masked = mask_text(text)
    lines, kept = text.split("\n"), masked.split("\n")
    if len(lines) == len(kept):
        return masked
    aligned: list[str] = []
    for number, line in enumerate(kept):
        aligned.append(line)
        following = kept[number + 1] if number + 1 < len(kept) else None
        if MASK in line and following is not None and MASK not in following:
            # A key of many lines has become one: the line after it tells how many.
            try:
                at = lines.index(following, len(aligned))
            except ValueError:
                continue
            aligned += [""] * (at - len(aligned))
    return "\n".join(aligned)


def _parts(section: Section) -> list[Chunk]:
    text = section.text
    pieces = [match.span() for match in _PIECE.finditer(text)]
    if not pieces:
        return []
    ends = [match.start() for match in re.finditer("\n", text)]
    # The first piece of each line.
    line_starts = [
        number
        for number, (begin, _) in enumerate(pieces)
        if number == 0 or bisect_right(ends, begin) > bisect_right(ends, pieces[number - 1][0])
    ]
    chunks = []
    start = 0
    while True:
        stop = _stop(start, len(pieces), line_starts)
        begin, end = pieces[start][0], pieces[stop - 1][1]
        line = text.rfind("\n", 0, begin) + 1
        if not text[line:begin].strip():
            begin = line
        chunks.append(
            Chunk(
                section.heading_path,
                text[begin:end],
                section.first_line + bisect_right(ends, begin),
                section.first_line + bisect_right(ends, end - 1),
                stop - start,
            )
        )
        if stop == len(pieces):
            return chunks
        start = _next_start(stop, line_starts)


def _stop(start: int, count: int, line_starts: list[int]) -> int:
    """Where a part ends: at the last end of a line in its second half, else at its target."""
    if start + TARGET >= count:
        return count
    at = line_starts[bisect_right(line_starts, start + TARGET) - 1]
    return at if at > start + TARGET // 2 else start + TARGET


def _next_start(stop: int, line_starts: list[int]) -> int:
    """Where the next part begins: at the first line within the overlap, else in the middle of one."""
    at = bisect_right(line_starts, stop - OVERLAP - 1)
    if at < len(line_starts) and line_starts[at] < stop:
        return line_starts[at]
    return stop - OVERLAP
