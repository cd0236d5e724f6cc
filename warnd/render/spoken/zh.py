"""Chinese for the ear: 15:30 is 十五点三十分, 119 is 幺幺九 after 拨打, 2小时 is 两小时."""

import re

_DIGITS = "零一二三四五六七八九"
_DIALLED = str.maketrans("0123456789", "零幺二三四五六七八九")  # 幺: on a telephone 一 is easily heard as 七.
_GROUPS = ("", "万", "亿")
_CARDINAL_MAX = 10**12 - 1

_UNITS = {
    "m³/s": "立方米每秒",
    "m3/s": "立方米每秒",
    "mm/h": "毫米每小时",
    "km/h": "公里每小时",
    "m/s": "米每秒",
    "km²": "平方公里",
    "km2": "平方公里",
    "m³": "立方米",
    "hPa": "百帕",
    "mm": "毫米",
    "cm": "厘米",
    "km": "公里",
    "kg": "公斤",
    "m": "米",
    "h": "小时",
    "℃": "摄氏度",
    "°C": "摄氏度",
    "°": "度",
}
_UNIT = re.compile("(?<=[0-9])\\s*(" + "|".join(re.escape(unit) for unit in _UNITS) + ")(?![A-Za-z])")
_ROMAN = str.maketrans({"Ⅰ": "一", "Ⅱ": "二", "Ⅲ": "三", "Ⅳ": "四", "Ⅴ": "五"})
_NUMBERED = str.maketrans({code: f"{code - 0x2460 + 1}、" for code in range(0x2460, 0x2460 + 20)})  # ① to ⑳

_DATE = re.compile(r"(?<![0-9])([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?![0-9])")
_TIME = re.compile(r"(?<![0-9:：])([01]?[0-9]|2[0-4])[:：]([0-5][0-9])(?:[:：][0-5][0-9])?(?![0-9])")
_YEAR = re.compile(r"(?<![0-9])([0-9]{4})(?=年)")
_PHONE = re.compile(r"((?:拨打|拨|电话|热线|致电)(?:为|是)?[：: ]*)([0-9]{3,}(?:[-、，,/或和 ]+[0-9]{3,})*)")
_LONG = re.compile(r"(?<![0-9.])(?:0[0-9]+(?:-[0-9]{7,8})?|[0-9]{13,}|1[3-9][0-9]{9})(?![0-9.])")
_CODE = re.compile(r"(?<=[A-Za-z])[0-9]+")
_GROUPED = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_MINUS = re.compile(r"(?<![0-9A-Za-z])[-−](?=[0-9])")
_RANGE = re.compile(r"(?<=[0-9%℃米度日时分])\s*[-~～—–]+\s*(?=[0-9])")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)([%％‰])")
_DECIMAL = re.compile(r"([0-9]+)\.([0-9]+)")
_TWO = re.compile(
    r"(?<![0-9.])2(?=(?:个|小时|天|次|处|座|米|公里|千米|人|名|户|万|辆|艘|条|种|点|分钟|层|倍|吨|股)(?!半?[0-9]))"
)
_INTEGER = re.compile(r"[0-9]+")


def spell(text: str) -> str:
    """Return the text with every ASCII digit spelt; the order of the rules matters, the narrow ones come first."""
    text = _GROUPED.sub("", text.translate(_ROMAN).translate(_NUMBERED))
    text = _DATE.sub(lambda found: f"{found[1]}年{int(found[2])}月{int(found[3])}日", text)
    text = _TIME.sub(_time, text)
    text = _UNIT.sub(lambda found: _UNITS[found[1]], text)
    text = _YEAR.sub(lambda found: _each(found[1]), text)
    text = _PHONE.sub(lambda found: found[1] + found[2].translate(_DIALLED).replace("-", ""), text)
    text = _LONG.sub(lambda found: found[0].translate(_DIALLED).replace("-", ""), text)
    text = _CODE.sub(lambda found: found[0].translate(_DIALLED), text)
    text = _RANGE.sub("到", _MINUS.sub("负", text))
    text = _PERCENT.sub(lambda found: f"{'千' if found[2] == '‰' else '百'}分之{found[1]}", text)
    text = _DECIMAL.sub(lambda found: f"{_cardinal(found[1])}点{_each(found[2])}", text)
    return _INTEGER.sub(lambda found: _cardinal(found[0]), _TWO.sub("两", text))


def _time(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    spoken = f"{'两' if hour == 2 else _cardinal(str(hour))}点"  # noqa: PLR2004 - two o'clock is 两点
    if minute == 0:
        return spoken + "整"
    return f"{spoken}{'零' if minute < 10 else ''}{_cardinal(str(minute))}分"  # noqa: PLR2004 - one-digit minutes


def _each(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _cardinal(digits: str) -> str:
    number = int(digits[:20])
    if number > _CARDINAL_MAX or len(digits) > len(str(_CARDINAL_MAX)):
        return _each(digits)
    if number == 0:
        return _DIGITS[0]
    spoken, gap = "", False
    for power in (2, 1, 0):
        group = number // 10_000**power % 10_000
        if group:
            zero = spoken and (gap or group < 1_000)  # noqa: PLR2004 - a group that starts with an empty thousand
            spoken += ("零" if zero else "") + _group(group) + _GROUPS[power]
        gap = not group
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken


def _group(number: int) -> str:
    spoken, gap = "", False
    for place, name in ((1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // place % 10
        if digit:
            spoken += ("零" if gap and spoken else "") + _DIGITS[digit] + name
        gap = not digit
    return spoken
