"""What a chat service's answer means. The library takes HTTP 200 for success; several services say there that they refuse.

HTTP statuses: RFC 9110 §15. Codes in bodies, each from its service's own list: WeCom, developer.work.weixin.qq.com/document/path/90313
(全局错误码) and /91770 (群机器人); DingTalk, open.dingtalk.com, "自定义机器人接入" and "自定义机器人发送消息"; Feishu and Lark,
open.feishu.cn, "自定义机器人使用指南"; ServerChan, sct.ftqq.com. A code that is not here is tried again and logged, and never taken for
success.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.posting import Meaning

HTTP: Mapping[int, Meaning] = {
    400: "permanent",  # The address or the message; both are the same next time.
    401: "permanent",  # A token that was withdrawn: the recipient's other channels must not wait for it.
    403: "permanent",
    404: "permanent",
    405: "permanent",
    410: "permanent",
    413: "permanent",
    408: "ambiguous",
    429: "throttled",
    500: "transient",
    502: "ambiguous",
    503: "throttled",
    504: "ambiguous",
}
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class BodyCodes:
    """Where one service's body says how it went.

    Attributes:
        fields: Names of the member that holds the code, the first one present counts; 0 is success.
        says: Name of the member with the words.
    """

    fields: tuple[str, ...]
    says: str
    codes: Mapping[int, Meaning]


_FEISHU = BodyCodes(
    fields=("code", "StatusCode"),
    says="msg",
    codes={
        9499: "permanent",  # Bad Request: the message's form.
        11232: "throttled",  # frequency limited
        19001: "permanent",  # param invalid: the robot does not exist.
        19021: "transient",  # sign match fail, or a clock that is off by an hour
        19022: "transient",  # ip not allowed: its owner may add ours.
        19024: "transient",  # key words not found: its owner may take the filter away.
    },
)

BODIES: Mapping[str, BodyCodes] = {
    "wecombot": BodyCodes(
        fields=("errcode",),
        says="errmsg",
        codes={
            -1: "transient",  # The system is busy.
            40008: "permanent",  # invalid message type
            40058: "permanent",  # invalid parameter
            44004: "permanent",  # empty content
            45002: "permanent",  # content too long
            45009: "throttled",  # More than 20 messages a minute for one robot.
            45033: "throttled",  # Too many at once.
            93000: "permanent",  # invalid webhook url: the robot was removed.
            93004: "permanent",  # The robot was disabled.
            93008: "permanent",  # not in the group
        },
    ),
    "dingtalk": BodyCodes(
        fields=("errcode",),
        says="errmsg",
        codes={
            -1: "transient",  # The system is busy.
            40035: "permanent",  # A parameter is missing or of a wrong form.
            43004: "permanent",  # invalid Content-Type
            130101: "throttled",  # send too fast
            300001: "permanent",  # token is not exist
            310000: "transient",  # Keywords, signature or address do not fit: its owner may mend that.
            400013: "permanent",  # The group was dissolved.
            400101: "permanent",  # access_token does not exist.
            400102: "permanent",  # The robot was stopped.
            400105: "permanent",  # message type not supported
            400106: "permanent",  # The robot does not exist.
            410100: "throttled",  # Sent too fast.
            430101: "permanent",  # unsafe link
            430102: "permanent",  # improper text
            430103: "permanent",  # improper picture
            430104: "permanent",  # improper content
        },
    ),
    "feishu": _FEISHU,
    "lark": _FEISHU,
    "schan": BodyCodes(fields=("code",), says="message", codes={40001: "permanent"}),  # The key is wrong.
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one answer means; `meaning` None = nobody published it."""

    meaning: Meaning | None
    reason: str


def verdict(service: str, status: int, body: Any) -> Verdict:
    """Return what to make of an answer.

    Args:
        service: What stands before "://".
        status: Of HTTP.
        body: Parsed JSON, or None.
    """
    if status not in _SUCCESS:
        return Verdict(HTTP.get(status), f"{status} from {service}")
    told = BODIES.get(service)
    if told is None:
        return Verdict("accepted", "")
    code = next((body[name] for name in told.fields if name in body), None) if isinstance(body, dict) else None
    if code == 0:
        return Verdict("accepted", "")
    if not isinstance(code, int) or isinstance(code, bool):
        return Verdict(None, f"{service} answered without a code")
    words = "".join(each if each.isprintable() else " " for each in str(body.get(told.says, ""))[:80])
    return Verdict(told.codes.get(code), f"{code} {words}".strip())
