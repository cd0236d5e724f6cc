"""`[sms.smpp]`: a message centre reached by SMPP 3.4."""

from pydantic import Field

from warnd.settings.kinds import Name, Port, Table


class SmsSmpp(Table):
    """A message centre."""

    host: Name = Field(description="the message centre's host name or address")
    port: Port = Field(default=2775, description="the message centre's port, 1 to 65535")
