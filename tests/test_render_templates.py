"""Templates are tried at start, and a fault is named where it is."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.flood import EN, ZH, flood, said, templates
from warnd.render.pieces import PIECES, file_of
from warnd.render.templates import PREVIEWED
from warnd.resources import shipped

CHANNELS = {channel.partition(".")[0] for channel in PIECES}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped templates, to be broken."""
    for channel in CHANNELS:
        shutil.copytree(shipped("templates") / channel, tmp_path / channel)
    return tmp_path


def test_the_shipped_templates_are_whole() -> None:
    assert templates().check(CHANNELS) == []


def test_a_language_without_templates_is_named(folder: Path) -> None:
    problems = templates(folder, languages=("zh", "bo")).check(CHANNELS)
    assert len(problems) == len(PIECES)
    assert all(str(folder / file_of(each, "bo")) in problem for each, problem in zip(PIECES, problems, strict=True))


def test_a_folder_of_ones_own_needs_no_texts_for_channels_that_are_off(folder: Path) -> None:
    for channel in CHANNELS.difference(PREVIEWED, {"email"}):
        shutil.rmtree(folder / channel)
    assert templates(folder).check({"sms", "email"}) == []
    (folder / "email" / "en.html.j2").unlink()
    assert templates(folder).check({"sms"}) == []
    (problem,) = templates(folder).check({"sms", "email"})
    assert str(folder / "email" / "en.html.j2") in problem


def test_what_every_preview_shows_is_tried_also_where_nothing_is_on(folder: Path) -> None:
    (folder / "mqtt" / "zh.j2").unlink()
    (folder / "sms" / "zh.j2").unlink()
    assert len(templates(folder).check(())) == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{% macro cancel(", "{% macro cancelled(", ["the macro 'cancel' is missing", "cancel(w, place, description)"]),
        ("{% endmacro %}", "", ["sms/zh.j2, line "]),
        ("w.source", "w.scource", ["the macro", "scource", "fails"]),
        ("{{ place }}。{{ lead }}", "{{ place }}。", ["'head' does not say lead"]),
        ("(w, place, lead)", "(w, place)", ["the macro 'head' fails", "lead"]),
    ],
)
def test_a_broken_template_is_named_with_the_fault(folder: Path, old: str, new: str, words: list[str]) -> None:
    path = folder / "sms" / "zh.j2"
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    (problem, *_) = templates(folder).check(CHANNELS)
    assert str(path) in problem
    assert all(word in problem for word in words), problem


def test_a_template_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "mqtt" / "en.j2").write_bytes(b"\xff\xfe\x00")
    (problem,) = templates(folder).check(CHANNELS)
    assert str(folder / "mqtt" / "en.j2") in problem


def test_an_edited_template_is_used_and_cannot_lose_the_marks(folder: Path) -> None:
    path = folder / "sms" / "zh.j2"
    path.write_text(path.read_text("utf-8").replace("措施：", "请："), "utf-8")
    text = templates(folder).text("sms", "zh", message=said(), kind="warning", drill=True, reply_digit=2).text
    assert text.startswith("【清河预警】【演练】")
    assert text.endswith("回复2确认")


def test_values_are_never_read_as_a_template() -> None:
    sly = replace(ZH, event="{{ w.source }}{% include 'x' %}")
    text = templates().text("sms", "zh", message=flood(sly, EN), kind="warning", drill=False).text
    assert "{{ w.source }}" in text


def test_a_channel_without_written_texts_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        templates().text("mqtt", "zh", message=said(), kind="warning", drill=False)
