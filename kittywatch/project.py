"""A project as a command finds it: its repository, its identity, its lane names, and the emitter for this checkout."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from kittywatch.emit.drafts import EnvelopeContext
from kittywatch.emit.emitter import EventEmitter
from kittywatch.errors import StoreError
from kittywatch.git.repository import Git
from kittywatch.home import home, node_id
from kittywatch.startup.digests import sha256
from kittywatch.store.database import WAIT_SECONDS
from kittywatch.store.projects import remembered_uuid
from kittywatch.store.store import Store
from kittywatch.sync.identity import ProjectIdentity, Site, ensure_identity, identity_in, read_config
from kittywatch.workpackages.configured import sources_from
from kittywatch.workpackages.lanes import DEFAULT_ALIASES, LANES, LaneNames
from kittywatch.yaml.values import PlainYamlError, Value

Warn = Callable[[str], None]


class Project:
    """One checkout of a project, ready to be observed.

    With `writes` off no identity is made; with `restores` on its file is written also on a branch that lacks it.
    """

    def __init__(self, git: Git, store: Store, warn: Warn, *, writes: bool = True) -> None:
        self.git = git
        self.store = store
        self.warn = warn
        self.writes = writes
        self.restores = False
        git.sources = sources_from(self.config.get("sources"), lambda what: warn(f".kittify/config.yaml: {what}"))

    @classmethod
    def find(cls, start: Path, warn: Warn, *, writes: bool = True) -> Project:
        """The project around a directory; raises ProjectError. With `writes` off no identity is made."""
        return cls.at(Git.find(start), warn, writes=writes)

    @classmethod
    def at(cls, git: Git, warn: Warn, *, writes: bool = True, wait_seconds: float = WAIT_SECONDS) -> Project:
        """The project of a checkout, with the store of this machine's user."""
        store = Store(home(), node_id=node_id(), warn=warn, wait_seconds=wait_seconds)
        return cls(git, store, warn, writes=writes)

    @cached_property
    def identity(self) -> ProjectIdentity:
        root = self.git.main_root
        try:
            found = identity_in(read_config(root))
        except (PlainYamlError, OSError):
            found = ProjectIdentity(None, None, None)
        if found.complete or not self.writes:
            return found
        site = Site(root, self.git.common, self.git.config("remote.origin.url"))
        return ensure_identity(site, self.warn, remembered=self._remembered(), restore=self.restores)

    @cached_property
    def config(self) -> dict[str, Value]:
        """`.kittify/config.yaml`; {} where there is none that can be read, which the identity has warned of."""
        try:
            return read_config(self.git.main_root)
        except (PlainYamlError, OSError):
            return {}

    @cached_property
    def names(self) -> LaneNames:
        """The lane names, with the aliases that the configuration adds under `lanes: aliases:`."""
        section = self.config.get("lanes")
        stated = section.get("aliases") if isinstance(section, dict) else None
        aliases = dict(DEFAULT_ALIASES)
        for alias, lane in stated.items() if isinstance(stated, dict) else ():
            if isinstance(lane, str) and lane in LANES:
                aliases[alias] = LANES[lane]
            else:
                self.warn(f".kittify/config.yaml: lanes: aliases: {alias!a} names no lane and is ignored")
        return LaneNames(aliases)

    @cached_property
    def emitter(self) -> EventEmitter:
        node = self.store.node_id
        checkout = sha256(f"{node}:{self.git.directory}".encode("utf-8", "surrogateescape")).hexdigest()
        context = EnvelopeContext(
            project_uuid=self.identity.project_uuid,
            project_slug=self.identity.project_slug,
            node_id=node,
            build_id=checkout[:16],
            share_reasons=self._shares_reasons,
            target_branch=functools.cache(self.git.default_branch),
        )
        return EventEmitter(self.store, context, place=str(self.git.common), warn=self.warn)

    @property
    def _shares_reasons(self) -> bool:
        """Whether texts that may hold paths and names leave this machine: `sync: share_reasons: true` (rule E8)."""
        section = self.config.get("sync")
        return isinstance(section, dict) and section.get("share_reasons") == "true"

    def _remembered(self) -> str | None:
        if not self.store.exists:
            return None
        try:
            return self.store.read(lambda connection: remembered_uuid(connection, str(self.git.directory)))
        except StoreError:
            return None
