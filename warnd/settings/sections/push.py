"""`[push]`: Web Push to browsers that subscribed to a place."""

from pydantic import Field

from warnd.settings.kinds import Count, ExistingFile, Name, Rate, Table


class Push(Table):
    """Web Push."""

    vapid_key_file: ExistingFile = Field(description="a PEM file with the private key that push services know us by")
    contact: Name = Field(description='an address for push services to complain to, like "mailto:it@example.org"')
    rate_per_s: Rate = Field(default=500, description="notifications per second, above 0")
    concurrency: Count = Field(default=100, description="how many notifications may be under way at once, 1 to 10000")
