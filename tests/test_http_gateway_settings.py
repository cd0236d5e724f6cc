"""What `[sms.http]` may say, and what is told of each mistake in it."""

from pathlib import Path

import pytest

from warnd.resources import shipped
from warnd.settings import SettingsError, load
from warnd.settings.sections.sms_http import SmsHttp

GOOD = '[sms]\nprovider = "http"\n[sms.http]\nurl = "https://g.example/send"\nfields = { to = "{numbers}", text = "{text}" }\n'


def read(folder: Path, toml: str) -> SmsHttp:
    config = folder / "warnd.toml"
    config.write_text(toml, "utf-8")
    (folder / "secret").write_text("0123456789abcdef\n")
    sms = load(config, {}).sms
    assert sms is not None
    assert sms.http is not None
    return sms.http


def test_an_address_and_two_fields_are_enough(tmp_path: Path) -> None:
    section = read(tmp_path, GOOD)
    assert (section.method, section.body, section.batch, section.number_format) == ("POST", "form", 1, "e164")


@pytest.mark.parametrize(
    ("name", "secrets"),
    [("cloud", ["gateway-account", "gateway-password", "gateway-push-token"]), ("village", ["modem-key"])],
)
def test_the_shipped_examples_are_good_once_their_secrets_are_there(
    tmp_path: Path, name: str, secrets: list[str]
) -> None:
    example = (shipped("config") / "gateways" / f"{name}.toml").read_text("utf-8")
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, example)
    assert [problem.cause for problem in caught.value.problems] == [
        f"There is no file {tmp_path / each}." for each in secrets
    ]
    for each in secrets:
        (tmp_path / each).write_text("0123456789abcdef0123\n")
    assert read(tmp_path, example).codes


MISTAKES = {
    GOOD.replace("{text}", "{texts}"): "sms.http: fields.text: {texts} has no value",
    GOOD.replace("{text}", "{text"): "sms.http.fields: The brace at character 1",
    GOOD.replace("https://g.example", "https://{host}"): "sms.http.url: ",
    GOOD.replace("https://g.example", "https://user:word@g.example"): "sms.http.url: ",
    GOOD.replace("{numbers}", "everybody"): "sms.http: Nothing carries the text, or the number.",
    GOOD.replace("{numbers}", "{number}") + "batch = 2\n": "sms.http: fields.to: {number} has no value",
    GOOD + 'ca_file = "secret"\n': "sms.http.ca_file: ",
    GOOD + "batch = 1001\n": "sms.http.batch: ",
    GOOD + 'method = "GET"\n': "sms.http: A GET has no body.",
    GOOD.replace('"{text}" }', '"{text}", list = ["{attempt}"] }'): "sms.http: Only a JSON body can hold lists",
    GOOD.replace("{numbers}", "{number_list}"): "sms.http: fields.to: {number_list} has no value",
    GOOD.replace("{numbers}", "x{number_list}")
    + 'body = "json"\n': "sms.http: fields.to: {number_list} is a list and stands alone.",
    GOOD + 'headers = { Authorization = "Bearer {text}" }\n': "sms.http: headers.Authorization: {text} has no value",
    GOOD + '[sms.http.derived.sign]\nhow = "md5"\nof = "{stamp}"\n': "sms.http: derived.sign.of: {stamp} has no value",
    GOOD
    + '[sms.http.derived.sign]\nhow = "hmac_sha256"\nof = "{text}"\n': "sms.http.derived.sign: An hmac needs a key",
    GOOD
    + '[sms.http.derived.sign]\nhow = "hmac_sha256"\nof = "x"\nkey = "k"\n': 'sms.http: derived.sign.key: "k" is no secret.',
    GOOD
    + '[sms.http.derived.sign]\nhow = "unix_s"\nof = "x"\n': 'sms.http.derived.sign: "unix_s" is wrongly given "of".',
    GOOD + '[sms.http.derived.text]\nhow = "unix_s"\n': 'sms.http: "text" cannot be the name of a value',
    GOOD + '[sms.http.answer]\ncode = "code"\nsuccess = ["0"]\n': 'sms.http.answer: "code" is no JSON pointer.',
    GOOD + '[sms.http.answer]\ncode = "/a~2"\nsuccess = ["0"]\n': 'sms.http.answer: "/a~2" is no JSON pointer.',
    GOOD
    + '[sms.http.answer]\nformat = "text"\ncode = "(["\nsuccess = ["0"]\n': 'sms.http.answer: "([" is no regular expression',
    GOOD + '[sms.http.answer]\nformat = "text"\ncode = "ok"\nsuccess = ["0"]\n': 'sms.http.answer: "ok" has 0 groups',
    GOOD + '[sms.http.answer]\ncode = "/code"\n': "sms.http.answer: code and success only mean something together.",
    GOOD + '[sms.http.answer]\nresults = "/r"\n': "sms.http.answer: results needs a JSON answer and result.number.",
    GOOD
    + '[sms.http.answer]\nresults = "/r"\n[sms.http.answer.result]\nnumber = "/n"\n': "sms.http.answer: A number listed without a code",
    GOOD + '[sms.http.codes]\n7 = "fatal"\n': "sms.http.codes.7: ",
    GOOD
    + '[sms.http.reports]\nstatus = "/s"\ndelivered = ["D"]\nreference = "/id"\n': "sms.http: Nothing brings reports.",
    GOOD
    + 'push_token_file = "secret"\n[sms.http.reports]\nstatus = "/s"\ndelivered = ["D"]\n': "sms.http.reports: Nothing says which text",
    GOOD
    + 'push_token_file = "secret"\n[sms.http.reports]\nstatus = "/s"\ndelivered = ["D"]\nfailed = ["D"]\nreference = "/i"\n': (
        'sms.http.reports: "D" is both delivered and failed.'
    ),
    GOOD
    + 'push_token_file = "secret"\n[sms.http.reports]\nstatus = "/s"\ndelivered = ["D"]\nreference = "/i"\nat_format = "yesterday"\n': (
        'sms.http.reports.at_format: "yesterday" is no way to write a time.'
    ),
    GOOD + 'push_token_file = "secret"\n[sms.http.replies]\ntext = "/t"\n': "sms.http.replies: Nothing says who wrote.",
    GOOD + 'push_sources = ["10.0.0.0/8"]\n': "sms.http: push_sources without push_token_file guards nothing.",
    GOOD
    + 'push_token_file = "secret"\npush_sources = ["10.0.0.0/33"]\n': "sms.http.push_sources[1]: Found 10.0.0.0/33",
    GOOD + '[sms.http.look_up]\nurl = "https://g.example/{text}"\n': "sms.http: look_up.url: {text} has no value",
    GOOD
    + '[sms.http.derived.sign]\nhow = "md5"\nof = "{text}"\n[sms.http.probe]\nurl = "https://g.example/?s={sign}"\n': (
        "sms.http: probe.url: {sign} has no value"
    ),
    GOOD + "each = { to = '{number}' }\n": "sms.http: each and {each} only mean something together.",
}


@pytest.mark.parametrize(("toml", "problem"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_a_mistake_is_told_with_its_key_a_cause_and_what_to_write(tmp_path: Path, toml: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, toml)
    (told,) = str(caught.value).replace(f"{tmp_path}/warnd.toml", "FILE").splitlines()
    assert told.partition(" ")[2].startswith(problem), told
    assert told.endswith((".", "?", '"'))


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("hunter2\n")
    with pytest.raises(SettingsError, match="can be guessed") as caught:
        read(tmp_path, GOOD + 'push_token_file = "short"\n[sms.http.replies]\ntext = "/t"\nnumber = "/n"\n')
    assert "hunter2" not in str(caught.value)
