"""`/api/docs`: the OpenAPI document as a page of our own, because the usual ones fetch scripts from the internet."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

OPENAPI = "/api/openapi.json"
_METHODS = ("get", "post", "put", "patch", "delete")


class Docs:
    """Renders the page once; the API does not change while the daemon runs."""

    def __init__(self, app: FastAPI, folder: Path) -> None:
        self._app = app
        self._templates = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )
        self._templates.filters["code"] = _code
        self._page: str | None = None

    async def show(self, _request: Request) -> Response:
        """Show every endpoint with its parameters, bodies and answers."""
        if self._page is None:
            document = self._app.openapi()
            self._page = self._templates.get_template("docs.html.j2").render(
                info=document["info"],
                openapi=OPENAPI,
                operations=list(_operations(document)),
                schemas=[(name, list(_members(schema))) for name, schema in document["components"]["schemas"].items()],
            )
        return HTMLResponse(self._page)


def _code(text: str) -> Markup:
    """Return text with what stands between backticks as code."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    )


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield {"method": method.upper(), "path": path, **_described(item[method])}


def _described(operation: Mapping[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return {
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": [
            {
                "name": each["name"],
                "where": each["in"],
                "required": each.get("required", False),
                "type": kind(each["schema"]),
            }
            for each in operation.get("parameters", ())
        ],
        "bodies": [(media_type, kind(body.get("schema", {}))) for media_type, body in content.items()],
        "answers": [
            (
                status,
                answer.get("description", ""),
                [kind(body.get("schema", {})) for body in answer.get("content", {}).values()],
            )
            for status, answer in sorted(operation.get("responses", {}).items())
        ],
    }


def _members(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, member in schema.get("properties", {}).items():
        yield name, kind(member), member.get("description", "")


def kind(schema: Mapping[str, Any]) -> str:
    """Return a JSON schema in a few words: "WarningDocument", "array of string", "string or null"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array" and "items" in schema:
        return f"array of {kind(schema['items'])}"
    return " ".join(str(part) for part in (schema.get("type", "anything"), schema.get("format")) if part)
