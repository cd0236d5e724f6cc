"""`[webhook]`: other systems that are told of every public message."""

from typing import Annotated

from pydantic import Field, SecretStr

from warnd.settings.kinds import Count, Name, Rate, SecretText, Table, WebAddress


class WebhookEndpoint(Table):
    """One receiver."""

    url: WebAddress = Field(description="the address that is posted to")
    secret: Annotated[SecretStr, SecretText] = Field(
        alias="secret_file", description='a file whose one line is the signing secret, "whsec_" and base64'
    )


class Webhook(Table):
    """Outgoing webhooks."""

    endpoints: dict[Name, WebhookEndpoint] = Field(
        description="tables [webhook.endpoints.NAME] with url and secret_file"
    )
    rate_per_s: Rate = Field(default=100, description="posts per second, above 0")
    concurrency: Count = Field(default=20, description="how many posts may be under way at once, 1 to 10000")
