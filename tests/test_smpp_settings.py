"""What `[sms.smpp]` may say, and what is told of each mistake in it."""

from pathlib import Path

import pytest

from tests.fakes.certificate import write_certificate
from warnd.settings import SettingsError, load
from warnd.settings.sections.sms_smpp import SmsSmpp

GOOD = (
    '[sms]\nprovider = "smpp"\n[sms.smpp]\nhost = "centre.example"\nsystem_id = "county"\npassword_file = "password"\n'
)


def read(folder: Path, toml: str, password: str = "secret") -> SmsSmpp:
    (folder / "password").write_text(f"{password}\n")
    write_certificate(folder)
    config = folder / "warnd.toml"
    config.write_text(toml, "utf-8")
    sms = load(config, {}).sms
    assert sms is not None
    assert sms.smpp is not None
    return sms.smpp


def test_a_host_and_an_account_are_enough(tmp_path: Path) -> None:
    section = read(tmp_path, GOOD)
    assert (section.port, section.window, section.validity, section.parts_file) == (2775, 20, "relative", None)
    assert "secret" not in repr(section)
    assert read(tmp_path, GOOD + "tls = true\n").port == 3550


MISTAKES = {
    GOOD + 'ca_file = "ca.crt"\n': "sms.smpp: ca_file without tls checks nothing.",
    GOOD + 'tls = true\nca_file = "password"\n': "sms.smpp.ca_file: ",
    GOOD.replace("county", "a-name-of-sixteen"): "sms.smpp.system_id: ",
    GOOD + "timeout_s = 26\n": "sms.smpp.timeout_s: ",
    GOOD + "source_ton = 256\n": "sms.smpp.source_ton: ",
    GOOD + 'message_id_base = "octal"\n': "sms.smpp.message_id_base: ",
    GOOD + 'source = "清河"\n': "sms.smpp.source: ",
}


@pytest.mark.parametrize(("toml", "problem"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_a_mistake_is_told_with_its_key(tmp_path: Path, toml: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, toml)
    (told,) = str(caught.value).splitlines()
    assert told.partition(": ")[2].startswith(problem), told


@pytest.mark.parametrize("password", ["ninechars", "密码"])
def test_a_password_that_smpp_has_no_room_for_is_refused_and_not_shown(tmp_path: Path, password: str) -> None:
    with pytest.raises(SettingsError, match="8 ASCII characters") as caught:
        read(tmp_path, GOOD, password)
    assert password not in str(caught.value)
