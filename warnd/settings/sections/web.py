"""`[web]`: the public site."""

from pydantic import Field

from warnd.settings.kinds import Table


class Web(Table):
    """The public site."""

    site: bool = Field(default=True, description="true or false")
