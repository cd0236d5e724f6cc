"""`[speech]` in the settings, and what `warnd check` says of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.speaking import Booth, tone_mp3
from warnd.settings import SettingsError, Speech, load

INDEX = '[[recording]]\nlang = "bo"\nfile = "a.mp3"\ntext = "ཆུ།"\n'


def speech(folder: Path, toml: str, **env: str) -> Speech:
    config = folder / "warnd.toml"
    config.write_text(toml, "utf-8")
    found = load(config, env).speech
    assert found is not None
    return found


def test_an_engine_is_known_by_name_or_given_as_a_command(tmp_path: Path) -> None:
    assert speech(tmp_path, "[speech]").engine == ("espeak-ng",)
    assert speech(tmp_path, 'speech.engine = "none"').engine == ("none",)
    own = 'speech = { engine = ["speak", "-v", "{voice}", "-v"], voices = { zh = "a" } }'
    assert speech(tmp_path, own).engine == ("speak", "-v", "{voice}", "-v")
    from_outside = {"WARND_SPEECH__ENGINE": '["speak", "-"]', "WARND_SPEECH__VOICES": '{"zh": "a"}'}
    assert speech(tmp_path, "[speech]", **from_outside).engine == ("speak", "-")
    assert speech(tmp_path, "[speech]", WARND_SPEECH__ENGINE="none").engine == ("none",)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('speech.engine = "speak"', "Which languages speak speaks is not said"),
        ("speech.engine = []", "speech.engine: "),
        ("speech.engine = 7", "speech.engine: "),
        ('speech.voices.zh = ""', "speech.voices.zh: "),
        ("speech.bitrate_kbps = 320", "16 to 64"),
        ("speech.wait_s = 600", "speech.wait_s: "),
        ('speech.also = ["b"]', "language tag"),
        ('speech.lexicon_file = "gone.toml"', "There is no file"),
        ('speech.recordings_dir = "gone"', "There is no folder"),
        (f'speech.audio_url = "http://{"a" * 220}"', "Use at most 200"),
        ('speech.audio_url = "ftp://a"', "web address"),
        ("speech.colour = 1", "There is no such key"),
    ],
)
def test_a_mistake_says_where_and_what_to_write(tmp_path: Path, toml: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        speech(tmp_path, toml)


def check(folder: Path, toml: str) -> tuple[int, str]:
    """Return the exit code of `warnd check` and what it says of speech."""
    (folder / "warnd.toml").write_text(toml, "utf-8")
    words = [sys.executable, "-m", "warnd", "check", "--config", str(folder / "warnd.toml")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, "".join(
        line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("speech", "files"))
    )


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_check_lets_the_engine_speak_and_counts_what_people_brought(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(tone_mp3(500))
    (tmp_path / "index.toml").write_text(INDEX, "utf-8")
    (tmp_path / "names.toml").write_text('[zh]\n"六安" = "录安"\n', "utf-8")
    toml = 'node.languages = ["zh", "en"]\nspeech = { lexicon_file = "names.toml", recordings_dir = "." }'
    code, told = check(tmp_path, toml)
    assert "espeak-ng speaks zh, en; 1 recordings by people, 1 names in the lexicon" in told
    assert code == 0


def test_check_names_an_engine_that_fails(tmp_path: Path) -> None:
    booth = Booth(tmp_path)
    booth.fails()
    code, told = check(tmp_path, booth.toml())
    assert "speech    WRONG: zh: " in told
    assert "ended with 3: the voice is hoarse" in told
    assert code == 1


def test_check_names_a_recording_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"nonsense")
    (tmp_path / "index.toml").write_text(INDEX, "utf-8")
    code, told = check(tmp_path, 'speech = { engine = "none", recordings_dir = "." }')
    assert "index.toml:3: recording[1].file: The recording cannot be used" in told
    assert code == 1
