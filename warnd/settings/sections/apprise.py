"""`[apprise]`: chat and message services by each recipient's Apprise address."""

from pydantic import Field

from warnd.settings.kinds import Count, Rate, Table


class Apprise(Table):
    """Chat services."""

    rate_per_s: Rate = Field(default=20, description="messages per second, above 0")
    concurrency: Count = Field(default=20, description="how many messages may be under way at once, 1 to 10000")
