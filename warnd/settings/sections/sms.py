"""`[sms]`: text messages and the gateways that carry them."""

from typing import Literal

from pydantic import Field, field_validator

from warnd.settings.explain import UnfitError
from warnd.settings.kinds import Count, Name, PathName, Rate, Table


class Spool(Table):
    """A folder that stands for a gateway: `out/` for texts, `in/` for reports and replies."""

    dir: PathName = Field(description="a folder for the spool's out/ and in/")


class Sms(Table):
    """Text messages."""

    provider: Literal["spool"] = Field(default="spool", description='"spool", the one provider of this version')
    signature: Name | None = Field(
        default=None, description="the sender's name without brackets; the texts get 【 and 】 round it"
    )
    spool: Spool = Field(description="a table [sms.spool] with dir")
    rate_per_s: Rate = Field(default=500, description="SMS segments per second, above 0")
    concurrency: Count = Field(default=200, description="how many texts may be under way at once, 1 to 10000")

    @field_validator("signature")
    @classmethod
    def _bare(cls, signature: str | None) -> str | None:
        if signature and set(signature) & set("【】[]"):
            raise UnfitError(
                f'"{signature}" has brackets.', "Write the name alone; the texts get their brackets by themselves."
            )
        return signature
