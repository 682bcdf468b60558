"""Reading raw text files: UTF-8 whatever the locale, errors that name the file and the place in it."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lm_eval_ja.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_FILE_BYTES = 256 * 2**20
"""No raw file outside an archive comes near this size (the largest, JSQuAD's train file, has 26 MB)."""


def damaged(source: object, problem: str) -> DataError:
    """The error for a raw file that isn't what it should be.

    Args:
        source: The file, for a member of an archive ``archive: member``.
        problem: What is wrong and where, without a full stop.

    Returns:
        The error, to be raised by the caller.
    """
    return DataError(
        f"{source}: {problem}. The raw file is damaged or not the pinned version: "
        "delete it and fetch it again, or check the mirror's copy."
    )


def decode(data: bytes, source: object, *, encoding: str = "utf-8", newlines: bool = True) -> str:
    """Decode a raw file.

    Args:
        data: The bytes.
        source: What to call the file in an error.
        encoding: ``utf-8`` or ``utf-8-sig``.
        newlines: Whether all kinds of line ends become plain newlines, as in Python's text mode.

    Returns:
        The text.

    Raises:
        DataError: The bytes aren't UTF-8, or there are none.
    """
    if not data:
        raise damaged(source, "is empty")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise damaged(source, f"not UTF-8 at byte {error.start} ({error.reason})") from error
    return text.replace("\r\n", "\n").replace("\r", "\n") if newlines else text


def read_text(path: Path, *, encoding: str = "utf-8") -> str:
    """Read a raw text file with plain newlines.

    Args:
        path: The file.
        encoding: ``utf-8`` or ``utf-8-sig``.

    Returns:
        The text.

    Raises:
        DataError: The file is missing, empty, too large or not UTF-8.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise damaged(path, f"{size} bytes are more than the {MAX_FILE_BYTES} any raw file has")
        data = path.read_bytes()
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from error
    return decode(data, path, encoding=encoding)


@dataclass(frozen=True)
class Record:
    """A JSON object of a raw file, with the place it stands at for errors.

    Attributes:
        source: The file.
        place: Where in the file, e.g. ``line 3``.
        values: The object.
    """

    source: object
    place: str
    values: Mapping[str, object]

    def value(self, key: str) -> object:
        """The value of a key.

        Raises:
            DataError: The object has no such key.
        """
        if key not in self.values:
            raise damaged(self.source, f"{self.place}: no {key!r}")
        return self.values[key]

    def text(self, key: str) -> str:
        """The value of a key that holds text.

        Raises:
            DataError: There is no such key or its value is no text.
        """
        value = self.value(key)
        if not isinstance(value, str):
            raise damaged(self.source, f"{self.place}: {key!r} is no text but {value!r}")
        return value

    def number(self, key: str) -> int | float:
        """The value of a key that holds a number.

        Raises:
            DataError: There is no such key or its value is no number.
        """
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise damaged(self.source, f"{self.place}: {key!r} is no number but {value!r}")
        return value

    def children(self, key: str) -> "list[Record]":
        """The objects in the list under a key.

        Raises:
            DataError: There is no such key or its value is no list of objects.
        """
        return as_records(self.value(key), self.source, f"{self.place}: {key!r}")


def as_records(value: object, source: object, place: str) -> list[Record]:
    """The objects of a JSON list.

    Args:
        value: The list.
        source: What to call the file in an error.
        place: Where the list stands in the file.

    Returns:
        The objects, each with its place.

    Raises:
        DataError: It is no list, or a member is no object.
    """
    if not isinstance(value, list):
        raise damaged(source, f"{place}: a list was expected, not {type(value).__name__}")
    return [as_record(item, source, f"{place} item {number}") for number, item in enumerate(value)]


def as_record(value: object, source: object, place: str) -> Record:
    """One JSON object with its place.

    Raises:
        DataError: It is no object.
    """
    if not isinstance(value, dict):
        raise damaged(source, f"{place}: an object was expected, not {type(value).__name__}")
    return Record(source, place, value)


def parse_json(text: str, source: object, place: str = "") -> object:
    """Parse JSON.

    Args:
        text: The JSON text.
        source: What to call the file in an error.
        place: Where in the file the text stands, empty for the whole file.

    Returns:
        The value.

    Raises:
        DataError: The text is no JSON, e.g. because it was cut off.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(source, f"{place or 'the file'} is not valid JSON ({error})") from error


def json_lines(path: Path) -> Iterator[Record]:
    """The objects of a file with one JSON object per line; empty lines are skipped.

    Args:
        path: The file.

    Yields:
        The objects, in order.

    Raises:
        DataError: A line is no JSON object.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield as_record(parse_json(line, path, f"line {number}"), path, f"line {number}")


def json_list(path: Path) -> list[Record]:
    """The objects of a file that is one JSON list.

    Raises:
        DataError: The file is no JSON list of objects.
    """
    return as_records(parse_json(read_text(path), path), path, "the file")


def tsv_rows(path: Path, columns: Mapping[int, str]) -> Iterator[tuple[str, ...]]:
    """The rows of a TSV file below its header: a plain split on tabs, no quoting.

    Args:
        path: The file.
        columns: Columns wanted (counted from 0, negative from the end) and what the header calls them.

    Yields:
        The wanted cells of each row, in order.

    Raises:
        DataError: The header names other columns, or a row has another number of cells than the header.
    """
    header, *lines = read_text(path).split("\n")
    names = header.split("\t")
    found = [names[column] if column < len(names) else None for column in columns]
    if found != list(columns.values()):
        raise damaged(
            path, f"line 1: columns {list(columns)} are called {found}, not {list(columns.values())}"
        )
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != len(names):
            raise damaged(path, f"line {number}: {len(cells)} columns instead of {len(names)}")
        yield tuple(cells[column] for column in columns)


def csv_rows(text: str, source: object, width: int) -> list[list[str]]:
    """The rows of a CSV text without header.

    Args:
        text: The text; line ends within quotes are kept as they are.
        source: What to call the file in an error.
        width: Number of cells each row must have.

    Returns:
        The rows.

    Raises:
        DataError: A row has another number of cells, or the text is no CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    rows = []
    try:
        for row in reader:
            if len(row) != width:
                raise damaged(source, f"line {reader.line_num}: {len(row)} columns instead of {width}")
            rows.append(row)
    except csv.Error as error:
        raise damaged(source, f"line {reader.line_num}: not valid CSV ({error})") from error
    return rows


def parse_xml(text: str, source: object) -> "Element":
    """Parse XML with the standard library.

    Entities that a file declares itself are refused: with them a small file could grow without limit.
    The parser doesn't load external ones.

    Args:
        text: The XML text; an encoding named in it is ignored.
        source: What to call the file in an error.

    Returns:
        The root element.

    Raises:
        DataError: The text isn't well-formed, e.g. because it was cut off, or declares entities.
    """
    from xml.etree import ElementTree as ET

    if "<!ENTITY" in text:
        raise damaged(source, "declares XML entities, which no raw file does")
    try:
        return ET.fromstring(text)  # noqa: S314 - entity declarations are refused above
    except ET.ParseError as error:
        raise damaged(source, f"not valid XML ({error})") from error
