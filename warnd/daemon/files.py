"""What stands in files beside the settings: plans, authority, templates, and what belongs to speech. Read once, checked whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import channels
from warnd.model.authority import Authority
from warnd.model.plan import Plan
from warnd.render import Templates
from warnd.render.speech import Studio, studio_of
from warnd.settings import Settings, load_authority, load_plans
from warnd.web import trial


class ConfigurationError(Exception):
    """The files do not fit together; each problem is a sentence with what, where and what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Files:
    """What was read from the files beside the settings, checked.

    Attributes:
        studio: Makes recordings for loudspeakers; None = [speech] is off.
    """

    plans: tuple[Plan, ...]
    authority: Authority
    templates: Templates
    studio: Studio | None = None


def read_files(settings: Settings) -> Files:
    """Read and check plans, authority, templates, and what belongs to speech.

    Raises:
        SettingsError: A file has a problem; with file, line and cause.
        ConfigurationError: The templates have one.
    """
    plans = load_plans(settings.plans_file, strongest=channels.STRONGEST)
    authority = load_authority(settings.authority_file)
    templates = Templates(
        settings.templates_dir,
        timezone=settings.node.timezone,
        languages=settings.node.languages,
        signature=(settings.sms.signature or "") if settings.sms else "",
    )
    problems = [*templates.check(_switched_on(settings)), *trial.problems(settings.templates_dir)]
    if problems:
        raise ConfigurationError(problems)
    return Files(plans, authority, templates, studio_of(settings.speech, languages=settings.node.languages))


def _switched_on(settings: Settings) -> frozenset[str]:
    return frozenset(name for name in channels.CHANNELS if getattr(settings, name, None))
