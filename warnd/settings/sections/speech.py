"""`[speech]`: recordings that the daemon makes of what loudspeakers say."""

from pydantic import Field

from warnd.settings.kinds import PathName, Table


class Speech(Table):
    """Speech made once for all loudspeakers."""

    recordings_dir: PathName | None = Field(default=None, description="a folder of recordings made by people")
