"""A project's identity: `.kittify/config.yaml`, made once, kept for good.

Rules of this module (the end of the contract's protocol page):
- A linked worktree uses the main worktree's file.
- Of two processes that make an identity at once the first write wins, and the second reads it.
- All other keys, comments and the order of the file survive every write.
- A malformed file is kept in a copy beside it, and the identity is made anew. What can still be used of it stays.
- A checkout of a branch that lacks the file, of a project that was observed, keeps the project's uuid and gets no
  file: it would stand in the way of the next checkout, in a bisect for example. `init` puts it there.
- Where nothing can be written there is no identity: `project_uuid` is None, and events wait in the queue.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from kittywatch.home import node_id
from kittywatch.startup.patterns import pattern
from kittywatch.store.files import replace_file
from kittywatch.store.lock import locked
from kittywatch.yaml.mapping import read_mapping
from kittywatch.yaml.values import PlainYamlError, Value

CONFIG = Path(".kittify") / "config.yaml"
MAX_BYTES = 1 << 20
_UUID4 = pattern(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


class ProjectIdentity(Struct, frozen=True):
    """A project's identity. `node_id` is the machine that made it, not the one at hand; None is for what is missing."""

    project_uuid: str | None
    project_slug: str | None
    node_id: str | None

    @property
    def complete(self) -> bool:
        """True if no part is missing."""
        return None not in (self.project_uuid, self.project_slug, self.node_id)


class Site(Struct, frozen=True):
    """The sources of an identity: the main worktree's root, a directory for the lock, and origin's URL."""

    root: Path
    lock_directory: Path
    origin_url: str | None = None


def read_config(root: Path) -> dict[str, Value]:
    """The project's configuration, {} where there is none; raises PlainYamlError, OSError."""
    _check_place(root)
    try:
        descriptor = os.open(root / CONFIG, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(root / CONFIG))
        data = file.read(MAX_BYTES + 1)
    return config_from(data)


def _check_place(root: Path) -> None:
    """Raise OSError where links on the way lead out of the project.

    A repository may bring them: what is read there is somebody else's, and what is written would be.
    """
    path = root / CONFIG
    try:
        inside = path.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # links in a circle
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
    if not inside:
        raise PermissionError(errno.EPERM, "it leads out of the project", str(path))


def config_from(data: bytes) -> dict[str, Value]:
    """The configuration that a file's bytes say; raises PlainYamlError."""
    if len(data) > MAX_BYTES:
        raise PlainYamlError(1, "it is larger than 1 MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlainYamlError(data.count(b"\n", 0, error.start) + 1, "it is not UTF-8") from None
    if not re.search(r"^[ \t]*[^\s#]", text, re.MULTILINE):
        return {}
    return read_mapping(text)[0]


def identity_in(config: dict[str, Value]) -> ProjectIdentity:
    """The identity that a configuration states; None for each part that it doesn't, or not as it must be."""
    project = config.get("project")
    fields = project if isinstance(project, dict) else {}
    stated = {key: value for key, value in fields.items() if isinstance(value, str) and value.strip()}
    unique = str(stated.get("uuid", "")).strip().lower()
    slug, node = stated.get("slug"), stated.get("node_id")
    return ProjectIdentity(unique if _UUID4.match(unique) else None, slug, node)


def ensure_identity(
    site: Site, warn: Callable[[str], None], *, remembered: str | None = None, restore: bool = False
) -> ProjectIdentity:
    """The project's identity, made or completed where needed.

    `remembered` is the uuid under which this repository was observed before: a checkout of a branch without the file
    must not make another project of it; `restore` writes the file also there. Never raises for the file system's
    sake; says through `warn` what is wrong.
    """
    try:
        found = identity_in(read_config(site.root))
        if found.complete:
            return found
    except (PlainYamlError, OSError):
        pass
    try:
        with locked(site.lock_directory / "kittywatch.lock"):
            return _complete(site, warn, remembered, restore=restore)
    except OSError as error:
        warn(
            f"{site.root / CONFIG}: {error.strerror}; the project has no identity until it can be written, "
            "and its events wait in the queue"
        )
        return ProjectIdentity(None, project_slug(site), None)


def _complete(site: Site, warn: Callable[[str], None], remembered: str | None, *, restore: bool) -> ProjectIdentity:
    """Read again under the lock, and write what is missing."""
    path = site.root / CONFIG
    malformed: PlainYamlError | None = None
    try:
        found = identity_in(read_config(site.root))
        text, document = _load(path)
    except PlainYamlError as error:
        malformed = error
        found, text, document = _usable(path)
    if found.complete:
        return found
    if malformed is not None:
        copy = _keep_copy(path)
        warn(f"{path}:{malformed.line}: {malformed.reason}; kept as {copy.name}, and the identity is made anew")
    from uuid import uuid4  # once in the life of a project

    made = ProjectIdentity(
        found.project_uuid or remembered or str(uuid4()),
        found.project_slug or project_slug(site),
        found.node_id or node_id(),
    )
    if remembered is not None and malformed is None and not restore:
        return made
    path.parent.mkdir(exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    data = _with_identity(text, document, made).encode()
    if path.exists() and b"\r\n" in path.read_bytes():
        data = data.replace(b"\n", b"\r\n")
    replace_file(path, data, mode=mode)
    return made


def project_slug(site: Site) -> str:
    """The repository name of origin, else the directory's name, in kebab-case; letters of every script stay."""
    name = repository_name(site.origin_url) if site.origin_url else None
    return kebab(name or "") or kebab(site.root.name) or "project"


def repository_name(url: str) -> str | None:
    """The last part of a remote's URL or path: https, ssh, scp-like, file, Windows."""
    url = re.sub(r"//[^/@]*@", "//", url.split("?", 1)[0])  # a password must not become a name
    last = re.split(r"[/\\:]", url.rstrip("/\\"))[-1]
    return last.removesuffix(".git") or None


def kebab(name: str) -> str:
    """`My_Project 2` → `my-project-2`."""
    name = unicodedata.normalize("NFC", name)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[\W_]+", "-", name).strip("-").lower()


def _keep_copy(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.malformed-{stamp}")
    replace_file(copy, path.read_bytes(), mode=path.stat().st_mode & 0o777)
    return copy


def _yaml(text: str) -> Any:
    from ruamel.yaml import YAML  # only where a file is written: its import costs more than an observation

    yaml = YAML()  # round trip: comments, quotes and order survive
    yaml.preserve_quotes = True
    yaml.width = 4096
    # As far in as the file has it: mappings, and lists below their key.
    nested = re.search(r"^[^\s#-][^\n]*:[ \t]*(?:#.*)?\n( +)[^\s#-]", text, re.MULTILINE)
    item = re.search(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#.*)?\n\1( +)- ", text, re.MULTILINE)
    offset = len(item[2]) if item else 0
    yaml.indent(mapping=len(nested[1]) if nested else 2, sequence=offset + 2, offset=offset)
    return yaml


def _load(path: Path) -> tuple[str, Any]:
    """The file's text, and its mapping as ruamel.yaml keeps it, None where there is nothing in it."""
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    try:
        text = path.read_text("utf-8-sig")
        document = _yaml(text).load(text)
    except (FileNotFoundError, NotADirectoryError):
        return "", None
    except (YAMLError, ValueError, RecursionError):
        raise PlainYamlError(1, "it cannot be read") from None
    if document is None:
        return text, None
    if not isinstance(document, CommentedMap):
        raise PlainYamlError(1, "it has no fields")
    if not isinstance(document.get("project") or {}, dict):
        raise PlainYamlError(document.lc.key("project")[0] + 1, "project has no fields")
    return text, document


def _usable(path: Path) -> tuple[ProjectIdentity, str, Any]:
    """The usable rest of a file that plain YAML refuses: all of it where it only has anchors or tags."""
    nobody = ProjectIdentity(None, None, None)
    if path.stat().st_size > MAX_BYTES:
        return nobody, "", None
    try:
        text, document = _load(path)
    except PlainYamlError:
        return nobody, "", None
    project = document.get("project") if document is not None else None
    fields: dict[str, Value] = {key: str(value) for key, value in (project or {}).items() if value is not None}
    return identity_in({"project": fields}), text, document


def _with_identity(text: str, document: Any, made: ProjectIdentity) -> str:
    """The file with the identity in it. Where it has no project yet, everything else stays byte for byte."""
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    fields = {
        "uuid": DoubleQuotedScalarString(made.project_uuid or ""),
        "slug": made.project_slug,
        "node_id": DoubleQuotedScalarString(made.node_id or ""),
    }
    if document is None or "project" not in document:
        section = CommentedMap(project=CommentedMap(fields))
        whole = text + ("" if not text or text.endswith("\n") else "\n") + _dumped("", section)
        try:
            if identity_in(read_mapping(whole)[0]) == made:
                return whole
        except PlainYamlError:
            pass  # the mapping is written in braces, or ends with a mark
    document = CommentedMap() if document is None else document
    if not document.get("project"):
        document["project"] = CommentedMap()
    for key, value in fields.items():
        if document["project"].get(key) != value:
            document["project"][key] = value
    return _dumped(text, document)


def _dumped(text: str, document: Any) -> str:
    buffer = io.StringIO()
    _yaml(text).dump(document, buffer)
    return buffer.getvalue()
