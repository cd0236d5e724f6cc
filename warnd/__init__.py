"""warnd: takes an approved early warning and keeps at it until every village is accounted for."""

__version__ = "0.1.0"
