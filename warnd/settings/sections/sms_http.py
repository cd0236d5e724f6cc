"""`[sms.http]`: a gateway reached over HTTP in a way that the settings describe."""

from pydantic import Field

from warnd.settings.kinds import Table, WebAddress


class SmsHttp(Table):
    """A gateway described in settings."""

    url: WebAddress = Field(description="the address that texts are sent to")
