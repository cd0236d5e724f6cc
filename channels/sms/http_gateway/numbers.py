"""Phone numbers as a gateway writes them, and back to how they stand in addresses. Pure."""

import re

from warnd.settings.sections.sms_http import SmsHttp

_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_NOISE = re.compile(r"[\s().-]+")
_NATIONAL_MAX = 11  # Digits of the longest national number that a country code may be missing from (China's mobiles).


def is_number(address: str) -> bool:
    """Say whether an address is a phone number at all."""
    return _NUMBER.fullmatch(address) is not None


def written(address: str, section: SmsHttp) -> str:
    """Return an address as this gateway wants it; a number without "+" (a short code) stays as it is."""
    if not address.startswith("+"):
        return address
    digits = address[1:]
    match section.number_format:
        case "e164":
            return address
        case "digits":
            return digits
        case "double_zero":
            return f"00{digits}"
        case "national" if digits.startswith(section.country_code):
            return digits.removeprefix(section.country_code)
        case "national":
            return f"00{digits}"  # Abroad: the only way to say so where numbers are national.


def address(told: str, section: SmsHttp) -> str:
    """Return the address of a number as the gateway wrote it, whichever of its ways it used: "+8613800138000"."""
    plain = _NOISE.sub("", told)
    if plain.startswith("+"):
        return plain
    if plain.startswith("00"):
        return f"+{plain[2:]}"
    code = section.country_code
    if plain.startswith(code) and (section.number_format != "national" or len(plain) > _NATIONAL_MAX):
        return f"+{plain}"
    if section.number_format == "national" and len(plain) < _SHORTEST_NATIONAL:
        return plain
    return f"+{code}{plain}"


_SHORTEST_NATIONAL = 7  # Shorter ones are short codes, which belong to no country.
