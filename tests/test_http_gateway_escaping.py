"""Whatever a text, a number or a secret holds, each field of a request says exactly what was meant, and nothing beside it."""

import hashlib
import hmac
import json
import random
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.http_gateway.compose import Composer, UnwritableError
from tests.fakes.clock import HandClock
from tests.fakes.texting import text_to
from warnd.settings.sections.sms_http import HttpLookUp, SmsHttp
from warnd.settings.sections.sms_http_words import alone, fill, names_in, point, word

NOW = datetime(2026, 7, 3, 7, 30, 12, tzinfo=UTC)  # 15:30:12 in Shanghai.
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
HOSTILE = st.one_of(
    ANY,
    st.sampled_from(['","to":"+1', "&to=+1", "{number}", "}}{{", "%26", "\r\nX: y", "+", "a=b&c=d", "'", "\\u0022"]),
)


def composer(**settings: Any) -> Composer:
    settings = {"url": "https://g.example/send", "fields": {"to": "{numbers}", "text": "{text}"}, **settings}
    return Composer(SmsHttp.model_validate(settings), clock=HandClock(NOW), random=random.Random(1))


@given(text=HOSTILE)
def test_a_form_holds_each_text_whole(text: str) -> None:
    request = composer().call([text_to("+8613800138000", text)])
    assert request.body is not None
    assert dict(parse_qsl(request.body.decode(), keep_blank_values=True)) == {"to": "+8613800138000", "text": text}


@given(text=HOSTILE)
def test_json_holds_each_text_whole(text: str) -> None:
    request = composer(body="json", fields={"text": "{text}", "to": "{number_list}", "list": [{"t": "[{text}]"}]}).call(
        [text_to("+8613800138000", text)]
    )
    assert request.body is not None
    assert json.loads(request.body) == {"text": text, "to": ["+8613800138000"], "list": [{"t": f"[{text}]"}]}


@given(text=HOSTILE)
def test_a_query_holds_each_text_whole(text: str) -> None:
    request = composer(method="GET", body="query", url="https://g.example/send?v=2").call(
        [text_to("+8613800138000", text)]
    )
    query = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    assert query == {"v": "2", "to": "+8613800138000", "text": text}
    assert request.body is None


@given(attempt=HOSTILE)
def test_a_value_in_the_path_stays_one_step_of_it(attempt: str) -> None:
    look_up = HttpLookUp(url="https://g.example/m/{attempt}")
    request = composer(look_up=look_up.model_dump()).look_up(look_up, attempt)
    head, step = request.url.rsplit("/", 1)
    assert (head, unquote(step)) == ("https://g.example/m", attempt)
    assert not set(step) & set("?#&")


@given(text=st.text("洪水红色预警立即转移abc&=+%", max_size=80))
def test_gbk_is_read_by_a_reader_of_gbk(text: str) -> None:
    request = composer(encoding="gbk").call([text_to("+8613800138000", text)])
    assert request.body is not None
    assert dict(parse_qsl(request.body.decode("ascii"), keep_blank_values=True, encoding="gbk"))["text"] == text


@pytest.mark.parametrize("body", ["form", "query"])
def test_a_text_that_gbk_cannot_write_is_not_sent_maimed(body: str) -> None:
    with pytest.raises(UnwritableError, match="gbk has no"):
        composer(encoding="gbk", body=body).call([text_to("+8613800138000", "དྲི་ཞིབ")])


@given(template=HOSTILE, value=HOSTILE)
def test_a_value_is_put_in_once_and_never_read_as_a_template(template: str, value: str) -> None:
    braced = template.replace("{", "{{").replace("}", "}}")
    assert fill(f"{braced}{{text}}{braced}", {"text": value}) == f"{template}{value}{template}"


def test_names_are_found_and_braces_are_not_names() -> None:
    assert names_in("{{a}}{b}{c_1}{{{d}}}") == {"b", "c_1", "d"}
    assert (alone("{each}"), alone("{each} "), alone("{{")) == ("each", None, None)


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", {"a": [{"b/c": 1, "~": 2}]}),
        ("/a/0/b~1c", 1),
        ("/a/0/~0", 2),
        ("/a/1", None),
        ("/a/-", None),
        ("/a/0/x/y", None),
        ("/a/01", None),
    ],
)
def test_a_pointer_finds_what_rfc_6901_says(pointer: str, found: Any) -> None:
    assert point({"a": [{"b/c": 1, "~": 2}]}, pointer) == found


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (True, "true"), (" ok ", "ok"), (1.5, "1.5"), (None, None), ([], None), ({}, None)]
)
def test_plain_values_are_compared_as_words(value: Any, told: str | None) -> None:
    assert word(value) == told


DERIVED = {
    "stamp": {"how": "time", "of": "%Y%m%d%H%M%S"},
    "seconds": {"how": "unix_s"},
    "sign": {"how": "md5", "of": "{key}{stamp}{numbers}{text}"},
    "loud": {"how": "sha256", "of": "{sign}", "form": "HEX"},
    "mac": {"how": "hmac_sha1", "of": "{stamp}", "key": "key", "form": "base64"},
    "basic": {"how": "base64", "of": "user:{key}"},
}


def test_signatures_are_what_their_names_say(tmp_path: Any) -> None:
    (tmp_path / "key").write_text("k&y")
    fields = {name: f"{{{name}}}" for name in DERIVED}
    request = composer(
        body="json",
        fields={**fields, "text": "{text}", "to": "{numbers}", "life": "{life_s}"},
        derived=DERIVED,
        secret_files={"key": str(tmp_path / "key")},
        headers={"Authorization": "Basic {basic}"},
    ).call([text_to("+8613800138000", "洪水", now=NOW)])
    told = json.loads(request.body or b"")
    sign = hashlib.md5("k&y20260703153012+8613800138000洪水".encode()).hexdigest()
    assert (told["stamp"], told["seconds"], told["sign"]) == ("20260703153012", str(int(NOW.timestamp())), sign)
    assert told["loud"] == hashlib.sha256(sign.encode()).hexdigest().upper()
    assert b64decode(told["mac"]) == hmac.new(b"k&y", b"20260703153012", "sha1").digest()
    assert request.headers["Authorization"] == f"Basic {b64encode(b'user:k&y').decode()}"
    assert told["life"] == 3600


def test_two_calls_have_two_nonces() -> None:
    twice = composer(
        fields={"to": "{numbers}", "text": "{text}", "nonce": "{nonce}"}, derived={"nonce": {"how": "nonce"}}
    )
    first, second = (twice.call([text_to("+8613800138000", "x")]).body for _ in range(2))
    assert first != second


def test_each_number_gets_its_own_table_where_the_settings_repeat_one() -> None:
    each = {"to": "{number}", "id": "{attempt}", "text": "{text}"}
    request = composer(
        body="json", fields={"messages": "{each}"}, each=each, batch=10, number_format="double_zero"
    ).call([text_to("+8613800138000", "a", attempt="x"), text_to("+4420", "b", attempt="y")])
    assert json.loads(request.body or b"") == {
        "messages": [{"to": "008613800138000", "id": "x", "text": "a"}, {"to": "004420", "id": "y", "text": "b"}]
    }
