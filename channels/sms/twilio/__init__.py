"""The `twilio` gateway: Twilio's Programmable Messaging by its own library."""

from channels.sms.twilio.gateway import Twilio, TwilioOptions
from warnd.channel import Context
from warnd.settings import Settings

__all__ = ["Twilio", "TwilioOptions", "build"]


def build(settings: Settings, context: Context) -> Twilio:
    """Return the gateway of `[sms.twilio]`."""
    assert settings.sms is not None
    assert settings.sms.twilio is not None, "the settings demand the table of each chosen provider"
    section = settings.sms.twilio
    return Twilio(
        TwilioOptions(
            account_sid=section.account_sid,
            auth_token=section.auth_token.get_secret_value(),
            sender=section.sender,
            base_url=section.base_url,
            public_url=settings.http.public_url or settings.http.own_url,
            timeout_s=section.timeout_s,
            connections=section.connections,
        ),
        context,
    )
