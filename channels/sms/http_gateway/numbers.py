"""Phone numbers in the form that the settings name. Pure."""

from channels.sms.numbers import international
from warnd.settings.sections.sms_http import SmsHttp


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
    """Return the address of a number as the gateway wrote it."""
    return international(told, country_code=section.country_code, national=section.number_format == "national")
