"""The hub's tables.

`events`, `aliases`, `renames` and `moves` are the truth and are only ever added to. `work_packages`, `dependencies`,
`features` and `projects` are projections: what the events amount to, kept for reading, made again by `hub rebuild`.
So are `superseded_by`, the event that is shown in place of this one, which is the same transition (supersession.py),
and `feature`, the feature that the event is shown in, where its directory was renamed or its work package moved
(renaming.py).
Whatever reads events to show them reads those that are SHOWN.

An event's `position` is where it stands in the order of arrival. Within a team, positions become visible in their
order, because a team's batches are stored one after another (database.py), so a reader that asks for what is past a
position misses nothing. The order of what happened is (lamport_clock, node_id), and event_id where those are equal.

Tokens are stored as SHA-256 of themselves: 256 random bits need no slow hash, and a copy of the database opens
nothing. Times are seconds since 1970; `timestamp` is the event's own text, untouched.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from kittywatch.natural import LONGEST

metadata = MetaData()
_Serial = BigInteger().with_variant(Integer, "sqlite")
# The order of these is that of their bytes, whatever language the database speaks.
_Key = String(LONGEST).with_variant(String(LONGEST, collation="C"), "postgresql")

schema_versions = Table(
    "schema_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_at", Float, nullable=False),
)

settings = Table(
    "settings", metadata, Column("name", String(64), primary_key=True), Column("value", LargeBinary, nullable=False)
)

teams = Table(
    "teams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(150), nullable=False, unique=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("may_write", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

# One login: of a machine (kind `machine`, with refresh tokens) or of a browser (kind `browser`, with a cookie).
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("secret_hash", String(64), nullable=True, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", Float, nullable=True),
    Index("sessions_of_user", "user_id"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("session_id", ForeignKey("sessions.id"), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float, nullable=True),
)

ws_tokens = Table(
    "ws_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("session_id", ForeignKey("sessions.id"), nullable=False),
    Column("expires_at", Float, nullable=False),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("subject", String(200), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Float, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("position", _Serial, primary_key=True, autoincrement=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("event_id", String(26), nullable=False),
    Column("event_type", String(32), nullable=False),
    Column("project", String(36), nullable=False),
    Column("feature", Text, nullable=False),
    Column("wp_id", String(40), nullable=False),
    Column("lamport_clock", BigInteger, nullable=False),
    Column("node_id", String(12), nullable=False),
    Column("timestamp", Text, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("session_id", String(32), nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    Column("original", Text, nullable=True),
    Column("superseded_by", String(26), nullable=True),
    UniqueConstraint("team_id", "event_id", name="events_once"),
    Index("events_of_work_package", "team_id", "project", "feature", "wp_id"),
    Index("events_of_team", "team_id", "position"),
    sqlite_autoincrement=True,
)

SHOWN = events.c.superseded_by.is_(None)

# An event with the id `alias` is the same transition as the event `event_id`; either may be still to come.
aliases = Table(
    "aliases",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("alias", String(26), primary_key=True),
    Column("event_id", String(26), primary_key=True),
    Column("session_id", String(32), nullable=False),
    Column("received_at", Float, nullable=False),
    Index("aliases_of_event", "team_id", "event_id"),
)

# In the order of arrival, with positions of the same kind as events have: an event that was shown is shown no more, or
# again, where `superseded_by` is NULL. `event_position` is its own.
supersessions = Table(
    "supersessions",
    metadata,
    Column("position", _Serial, primary_key=True, autoincrement=False),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("event_id", String(26), nullable=False),
    Column("event_position", BigInteger, nullable=False),
    Column("superseded_by", String(26), nullable=True),
    Column("project", String(36), nullable=False),
    Column("feature", Text, nullable=False),
    Column("wp_id", String(40), nullable=False),
    Index("supersessions_of_team", "team_id", "position"),
)

# A feature's directory `feature` was renamed to `renamed_to`, as was said at a position in the order of arrival.
renames = Table(
    "renames",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("project", String(36), primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("renamed_to", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("commit_id", String(64), nullable=True),
    Column("session_id", String(32), nullable=False),
    Column("received_at", Float, nullable=False),
    Index("renames_of_team", "team_id", "position"),
)

# A work package of the feature `feature` is in the feature `renamed_to` now. `commit_id` is empty where none has it
# yet; such a move may be told of again, and then has another position.
moves = Table(
    "moves",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("project", String(36), primary_key=True),
    Column("wp_id", String(40), primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("renamed_to", Text, primary_key=True),
    Column("commit_id", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("session_id", String(32), nullable=False),
    Column("received_at", Float, nullable=False),
    Index("moves_of_team", "team_id", "position"),
)

# `place` is where the id stands among others (natural.py), `source` the lane source, empty where no event states one
# (lane_sources.py).
work_packages = Table(
    "work_packages",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("project", String(36), primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("wp_id", String(40), primary_key=True),
    Column("place", _Key, nullable=False),
    Column("title", Text, nullable=False),
    Column("lane", String(40), nullable=False),
    Column("category", String(16), nullable=False),
    Column("released", Boolean, nullable=False),
    Column("agent", Text, nullable=False),
    Column("created_at", Text, nullable=True),
    Column("lane_since", Text, nullable=True),
    Column("lane_since_seconds", Float, nullable=False),
    Column("started_at", Text, nullable=True),
    Column("done_at", Text, nullable=True),
    Column("transitions", Integer, nullable=False),
    Column("rework", Integer, nullable=False),
    Column("last_lamport", BigInteger, nullable=False),
    Column("last_node", String(12), nullable=False),
    Column("last_event", String(26), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("known", Boolean, nullable=False),
    Column("source", String(40), nullable=False),
    Index("work_packages_in_lane", "team_id", "lane", "lane_since_seconds"),
    Index("work_packages_changed", "team_id", "changed"),
    Index(
        "work_packages_by_id",
        *("team_id", "project", "wp_id"),
        sqlite_where=text("source = 'markdown'"),
        postgresql_where=text("source = 'markdown'"),
    ),
)

# One row for each work package that another one needs; `resolution` is DependencyResolved's, empty before it.
dependencies = Table(
    "dependencies",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("project", String(36), primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("wp_id", String(40), primary_key=True),
    Column("needs", String(40), primary_key=True),
    Column("resolution", String(16), nullable=False),
)

features = Table(
    "features",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("project", String(36), primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("number", String(8), nullable=True),
    Column("target_branch", Text, nullable=True),
    Column("declared", BigInteger, nullable=True),
    Column("created_at", Text, nullable=True),
    Column("completed_at", Text, nullable=True),
    Column("total_duration", Text, nullable=True),
    Column("last_lamport", BigInteger, nullable=False),
    Column("last_node", String(12), nullable=False),
    Column("last_event", String(26), nullable=False),
)

projects = Table(
    "projects",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("project", String(36), primary_key=True),
    Column("slug", Text, nullable=False),
    Column("last_lamport", BigInteger, nullable=False),
    Column("last_node", String(12), nullable=False),
    Column("last_event", String(26), nullable=False),
)

PROJECTIONS = (dependencies, work_packages, features, projects)
