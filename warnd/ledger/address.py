"""Addresses that name several servers, as libpq writes them: read, and shown without the password. Connects to nothing."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def spread(url: str) -> str:
    """Return an address of several servers, written as libpq does (`HOST1:PORT1,HOST2:PORT2`), as SQLAlchemy reads it.

    Other addresses are returned as they are.
    """
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return url
    named = [_host_and_port(each) for each in hosts.split(",")]
    query = [*parse_qsl(parts.query), ("host", ",".join(host for host, _ in named))]
    query.append(("port", ",".join(port for _, port in named)))
    return urlunsplit(parts._replace(netloc=f"{user}{at}", query=urlencode(query)))


def without_password(url: str) -> str:
    """Return an address of several servers as people may see it."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    return urlunsplit(parts._replace(netloc=f"{name}{':***' if colon else ''}{at}{hosts}"))


def _host_and_port(text: str) -> tuple[str, str]:
    """Split `host`, `host:port` or `[IPv6]:port`; without a port it is PostgreSQL's own."""
    bare = text.rpartition("]")[2]
    host = text.removesuffix(bare) or bare.partition(":")[0]
    return host.strip("[]"), bare.partition(":")[2] or "5432"
