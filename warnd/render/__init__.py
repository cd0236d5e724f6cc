"""Rendering: a message's facts and the templates become texts within each channel's limits. Reads templates; never decides who hears."""

from warnd.render.facts import MessageFacts, Wording, facts
from warnd.render.marks import with_tail
from warnd.render.phrases import clip
from warnd.render.templates import Templates
from warnd.render.words import Purpose

__all__ = ["MessageFacts", "Purpose", "Templates", "Wording", "clip", "facts", "with_tail"]
