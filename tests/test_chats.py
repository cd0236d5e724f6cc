"""Which addresses of chat services are taken: nothing that reads files, calls a host of its own choice, or runs anything."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnd.chats import LONGEST, SERVICES, BadChatAddress, known, open_chat

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
TELEGRAM = "tgram://123456789:AAbbccddeeffgghhiijjkkllmmnnooppqq"


@pytest.mark.parametrize(
    "address",
    [
        "wecombot://0123abcd-4567-89ef",
        "dingtalk://0123456789abcdef0123456789abcdef",
        "feishu://01234567-89ab-cdef",
        "lark://abcdef-0123-abcd-efab-abcdefabcdef",
        "schan://SCTabcdef0123",
        f"{TELEGRAM}/-100123/",
        f"{TELEGRAM}/-100123/?thread=7",
        f"{SLACK}/#county",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "WeComBot://0123abcd-4567-89ef",
    ],
)
def test_a_chat_of_an_allowed_service_is_taken(address: str) -> None:
    made = open_chat(address, SERVICES)
    assert len(made) == 1
    assert made.verify_certificate
    assert not made.redirects
    assert made.retry == 0


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("", "is no address of a chat service"),
        ("0123abcd-4567-89ef", "is no address of a chat service"),
        ("wecombot://", "is no address of a chat service"),
        ("we com://secret", "is no address of a chat service"),
        ("wecombot://sec\nret", "is no address of a chat service"),
        ("wecombot://" + "s" * LONGEST, "is no address of a chat service"),
        ("slack://secret", "slack cannot make sense of what follows slack://"),
        (f"{SLACK}/#one/#two", "names 2 receivers of slack"),
        *(
            (f"{each}://secret", f"names {each}, which may not be used here")
            for each in ("json", "mailto", "dbus", "syslog")
        ),
        *(
            (f"{each}://secret", f"names {each}, which may not be used here")
            for each in ("file", "http", "https", "exec")
        ),
        (f"{SLACK}/?template=/etc/passwd", "has parameters that may not be set"),
        (f"{SLACK}/#c?template=/etc/passwd", "has parameters that may not be set"),
        (f"{SLACK}/?to=c;template=/etc/passwd", "has parameters that may not be set"),
        (f"{SLACK}/?TEMPLATE=http://10.0.0.1/", "has parameters that may not be set"),
        (f"{SLACK}/?+template=/etc/passwd", "has parameters that may not be set"),
        (f"{SLACK}/?:name=value", "has parameters that may not be set"),
        *(
            (f"{SLACK}/?{each}", "has parameters that may not be set")
            for each in ("verify=no", "redirect=yes", "retry=9")
        ),
        *(
            (f"{SLACK}/?{each}", "has parameters that may not be set")
            for each in ("cto=900", "rto=900", "overflow=split")
        ),
    ],
)
def test_any_other_is_refused_without_a_word_of_it(address: str, cause: str) -> None:
    with pytest.raises(BadChatAddress) as caught:
        open_chat(address, SERVICES)
    assert caught.value.cause == cause
    assert caught.value.fix.endswith(".")
    for secret in ("secret", "passwd", "TIiajkdnlazkcOXrIdevi7FQ"):
        assert secret not in str(caught.value)


def test_what_is_refused_leaves_no_word_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BadChatAddress):
        open_chat("slack://a-secret-token", SERVICES)
    assert "secret" not in caplog.text


@given(st.text(max_size=80) | st.builds("{}://{}".format, st.sampled_from(SERVICES), st.text(max_size=80)))
def test_whatever_is_written_is_taken_or_refused(address: str) -> None:
    with suppress(BadChatAddress):
        assert len(open_chat(address, SERVICES)) == 1


def test_the_library_knows_every_service_that_is_allowed_by_default() -> None:
    assert [service for service in SERVICES if not known(service)] == []
    assert not known("nonsense")
