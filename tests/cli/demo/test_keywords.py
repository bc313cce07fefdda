"""The file of keywords."""

from __future__ import annotations

from pathlib import Path

import pytest

from staffa.cli.demo.keywords import is_dotted_name, read_keywords, shipped_keywords
from staffa.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.txt"


def test_the_shipped_keywords_are_about_three_hundred_and_sorted() -> None:
    keywords = shipped_keywords()
    assert 290 <= len(keywords) <= 310
    assert list(keywords) == sorted(keywords)
    assert {"asyncio.tasks", "email.mime.text", "xml.etree.ElementTree"} <= set(keywords)


def test_comments_blank_lines_spaces_and_repeats_are_dropped(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf# modules\r\n\r\n  json \r\njson\r\nabc  # first\r\n")
    assert read_keywords(path) == ("json", "abc")


@pytest.mark.parametrize("line", ["two words", "a..b", ".a", "../etc/passwd", "1st", "a\0b", "-x"])
def test_a_line_that_is_no_name_is_an_error_that_tells_the_line(path: Path, line: str) -> None:
    path.write_text(f"json\n\n{line}\nabc\n")
    with pytest.raises(ConfigError, match=r"words\.txt, line 3: .* is no keyword"):
        read_keywords(path)


def test_a_huge_line_is_an_error_with_a_short_message(path: Path) -> None:
    path.write_text("x" * 100_000)
    with pytest.raises(ConfigError, match="line 1") as caught:
        read_keywords(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing but a comment\n"])
def test_a_file_without_keywords_is_an_error(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(ConfigError, match="holds no keyword"):
        read_keywords(path)


def test_a_file_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        read_keywords(path)


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        read_keywords(tmp_path)


def test_a_file_in_another_encoding_is_an_error(path: Path) -> None:
    path.write_bytes("été".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"no UTF-8 text \(byte 0 is 0xe9\)"):
        read_keywords(path)


def test_a_name_may_have_two_hundred_characters_and_no_more() -> None:
    assert is_dotted_name("x" * 200)
    assert not is_dotted_name("x" * 201)
