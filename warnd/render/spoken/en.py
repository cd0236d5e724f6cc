"""English for the ear: 15:30 is fifteen thirty, 3 July is the third of July, 119 after "call" is one one nine."""

import re

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = [
    "_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
]  # fmt: skip
_SCALES = ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand"))
_CARDINAL_MAX = 10**12 - 1
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}

_UNITS = {
    "m³/s": "cubic metres per second",
    "m3/s": "cubic metres per second",
    "mm/h": "millimetres per hour",
    "km/h": "kilometres per hour",
    "m/s": "metres per second",
    "km²": "square kilometres",
    "km2": "square kilometres",
    "mph": "miles per hour",
    "hPa": "hectopascals",
    "mm": "millimetres",
    "cm": "centimetres",
    "km": "kilometres",
    "kg": "kilograms",
    "ft": "feet",
    "m": "metres",
    "h": "hours",
    "°C": "degrees Celsius",
    "℃": "degrees Celsius",
    "°F": "degrees Fahrenheit",
    "%": "percent",
}
_UNIT = re.compile("(?<=[0-9])\\s*(" + "|".join(re.escape(unit) for unit in _UNITS) + ")(?![A-Za-z])")
_MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" if name != "May" else "May" for name in _MONTHS)

_ISO = re.compile(r"(?<![0-9])([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(?![0-9])")
_DAY_MONTH = re.compile(
    rf"(?<![0-9])([0-9]{{1,2}})(?:st|nd|rd|th)?\s+({_MONTH})\b(?:\.?,?\s+(20[0-9]{{2}})\b)?", re.IGNORECASE
)
_MONTH_DAY = re.compile(
    rf"\b({_MONTH})\.?\s+([0-9]{{1,2}})(?:st|nd|rd|th)?(?![0-9:])(?:,?\s+(20[0-9]{{2}})\b)?", re.IGNORECASE
)
_HALF_DAY = re.compile(r"(?<![0-9:])(1[0-2]|0?[1-9])(?::([0-5][0-9]))?\s*([ap])\.?m\b\.?", re.IGNORECASE)
_TIME = re.compile(r"(?<![0-9:])([01]?[0-9]|2[0-4]):([0-5][0-9])(?::[0-5][0-9])?(?![0-9])")
_PHONE = re.compile(r"\b((?:call|dial|phone|ring|tel|hotline)\b[.: ]*)(\+?[0-9]{3,}(?:[- ][0-9]{3,})*)", re.IGNORECASE)
_LONG = re.compile(r"(?<![0-9.])(?:0[0-9]+(?:-[0-9]{7,8})?|[0-9]{13,}|1[3-9][0-9]{9})(?![0-9.])")
_CODE = re.compile(r"(?<=[A-Za-z])[0-9]+")
_GROUPED = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_MINUS = re.compile(r"(?<![0-9A-Za-z])[-−](?=[0-9])")
_RANGE = re.compile(r"(?<=[0-9])\s*[-~–—]\s*(?=[0-9])")
_ORDINAL = re.compile(r"(?<![0-9])([0-9]{1,9})(?:st|nd|rd|th)\b", re.IGNORECASE)
_DECIMAL = re.compile(r"([0-9]+)\.([0-9]+)")
_INTEGER = re.compile(r"[0-9]+(?=([A-Za-z])?)")


def spell(text: str) -> str:
    """Return the text with every ASCII digit spelt; the order of the rules matters, the narrow ones come first."""
    text = _GROUPED.sub("", text)
    text = _ISO.sub(lambda found: f"{int(found[3])} {_MONTHS[int(found[2]) - 1]} {found[1]}", text)
    text = _DAY_MONTH.sub(lambda found: f"the {_ordinal(int(found[1]))} of {_month(found[2])}{_year(found[3])}", text)
    text = _MONTH_DAY.sub(lambda found: f"{_month(found[1])} the {_ordinal(int(found[2]))}{_year(found[3])}", text)
    text = _HALF_DAY.sub(_half_day, text)
    text = _TIME.sub(lambda found: _time(int(found[1]), int(found[2])), text)
    text = _PHONE.sub(lambda found: found[1] + _each(found[2]), text)
    text = _LONG.sub(lambda found: _each(found[0]), text)
    text = _RANGE.sub(" to ", _MINUS.sub("minus ", text))
    text = _UNIT.sub(lambda found: f" {_UNITS[found[1]]}", text)
    text = _CODE.sub(lambda found: f" {_each(found[0])}", text)
    text = _ORDINAL.sub(lambda found: _ordinal(int(found[1])), text)
    text = _DECIMAL.sub(lambda found: f"{_cardinal(found[1])} point {_each(found[2])}", text)
    return _INTEGER.sub(lambda found: _cardinal(found[0]) + (" " if found[1] else ""), text)


def _month(name: str) -> str:
    return next(month for month in _MONTHS if month.lower().startswith(name.lower()))


def _year(digits: str | None) -> str:
    if not digits:
        return ""
    century, rest = divmod(int(digits), 100)
    ending = _cardinal(str(rest)) if rest >= 10 else f"oh {_ONES[rest]}"  # noqa: PLR2004 - 2009 is twenty oh nine
    return f" {_cardinal(str(century))} {ending if rest else 'hundred'}"


def _half_day(found: re.Match[str]) -> str:
    minute = f" {_minutes(int(found[2]))}" if found[2] and int(found[2]) else ""
    return f"{_ONES[int(found[1])]}{minute} {found[3].lower()}.m."


def _time(hour: int, minute: int) -> str:
    if minute == 0:
        return {0: "midnight", 12: "noon", 24: "midnight"}.get(hour, f"{_cardinal(str(hour))} hundred")
    return f"{_cardinal(str(hour))} {_minutes(minute)}"


def _minutes(minute: int) -> str:
    return _cardinal(str(minute)) if minute >= 10 else f"oh {_ONES[minute]}"  # noqa: PLR2004 - five past is oh five


def _each(digits: str) -> str:
    return " ".join("plus" if digit == "+" else _ONES[int(digit)] for digit in digits if digit not in "- ")


def _ordinal(number: int) -> str:
    head, hyphen, last = _cardinal(str(number)).rpartition("-")
    if not hyphen:
        head, hyphen, last = _cardinal(str(number)).rpartition(" ")
    ending = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return head + hyphen + ending


def _cardinal(digits: str) -> str:
    if len(digits) > len(str(_CARDINAL_MAX)):
        return _each(digits)
    return _number(int(digits))


def _number(number: int) -> str:
    for scale, name in _SCALES:
        if number >= scale:
            rest = number % scale
            joint = " and " if 0 < rest < 100 else " "  # noqa: PLR2004 - one thousand and five
            return f"{_number(number // scale)} {name}" + (joint + _number(rest) if rest else "")
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{_ONES[hundreds]} hundred" + (f" and {_number(rest)}" if rest else "")
    if number < len(_ONES):
        return _ONES[number]
    return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")
