"""Phone numbers as gateways write them, turned into addresses as the directory has them. Pure; nothing is looked up."""

import re

_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_NOISE = re.compile(r"[\s().-]+")
_NATIONAL_MAX = 11  # Digits of the longest number without its country code (China's mobiles).
_NATIONAL_MIN = 7  # Shorter ones are short codes, which belong to no country.


def is_number(address: str) -> bool:
    """Say whether an address is a phone number at all."""
    return _NUMBER.fullmatch(address) is not None


def international(told: str, *, country_code: str, national: bool) -> str:
    """Return a number as an address, "+8613800138000", whichever way it was told; a short code stays as it is.

    Args:
        told: As the gateway wrote it.
        country_code: What a national number belongs to, like "86".
        national: Whether this gateway writes numbers without their country's code; one that is too long for that has it all the same.
    """
    plain = _NOISE.sub("", told)
    if plain.startswith("+"):
        return plain
    if plain.startswith("00"):
        return f"+{plain[2:]}"
    if len(plain) < _NATIONAL_MIN:
        return plain
    if plain.startswith(country_code) and (not national or len(plain) > _NATIONAL_MAX):
        return f"+{plain}"
    return f"+{country_code}{plain}"
