"""Field types of the contract, and values that are valid from construction.

msgspec checks constraints when it decodes; `Checked` makes the same constraints hold for values built in Python, so
that no invalid event exists anywhere past its constructor.
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from kittywatch.startup.patterns import pattern

# \Z instead of $: Python's $ also matches before a trailing newline. The schema export writes it back as $.
Ulid = Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")]
# What version 1.0.0 of the contract has of a field stands beside what it may be today, for the export of that version.
WP_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z"
WorkPackageId = Annotated[
    str,
    Meta(pattern=WP_ID, extra_json_schema={"1.0.0": {"pattern": r"^WP[0-9]{2}\Z"}}),
]
NodeId = Annotated[str, Meta(pattern=r"^[0-9a-f]{12}\Z")]
ProjectUuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]
FeatureName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
FeatureNumber = Annotated[str, Meta(pattern=r"^[0-9]{3}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Tick = Annotated[int, Meta(ge=1)]
# The highest Lamport clock that anybody follows. A clock ticks once an event, so nobody gets here honestly; a number
# beyond it is taken for a fault or a lie: clients don't follow it, and a hub puts its own in its place.
LARGEST_CLOCK = 1 << 48
DateTime = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
FOUR_LANES = ("planned", "doing", "for_review", "done")
LaneName = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9_]{0,39}\Z", extra_json_schema={"1.0.0": {"enum": list(FOUR_LANES)}}),
]
CategoryName = Literal["backlog", "active", "review", "done", "blocked", "canceled"]

# No leap seconds: neither datetime nor the field's library takes one.
_RFC3339 = pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\Z"
)


class InvalidEventError(ValueError):
    """A value outside the contract; names the field and the rule it breaks, never the content."""

    def __init__(self, kind: str, field: str, rule: str) -> None:
        super().__init__(kind, field, rule)
        self.kind = kind
        self.field = field
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.kind}: field {self.field}: {self.rule}"


class Checked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A frozen value whose fields hold their annotations' constraints from construction.

    Raises InvalidEventError, which names the first field that breaks its rule.
    """

    _rules: ClassVar[dict[type, list[_Rule]]] = {}

    def __post_init__(self) -> None:
        kind = type(self)
        rules = Checked._rules.get(kind) or _compile(kind)
        for field, hint, exact, is_moment in rules:
            value = getattr(self, field)
            if value is msgspec.UNSET:
                continue  # an optional field; a required one is never left out
            try:
                msgspec.convert(value, hint)
                if exact is not None and not isinstance(value, exact):
                    raise ValueError(f"Expected a {exact.__name__}, got {type(value).__name__}")
                if is_moment:
                    check_moment(value)
            except (msgspec.ValidationError, ValueError) as error:
                raise InvalidEventError(kind.__name__, field, without_content(error)) from None
            if isinstance(value, str) and not value.isascii():
                _check_unicode(kind, field, value)


def first_optional(value: Checked) -> str | None:
    """The first optional field that says something: all of those came with version 1.1.0. None where none does."""
    return next((name for name in _optional(type(value)) if getattr(value, name) is not msgspec.UNSET), None)


@functools.cache
def _optional(kind: type[Checked]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind) if not field.required)


class _Rule(NamedTuple):
    """How one field is checked; `exact` is its class where msgspec would also convert from another."""

    field: str
    hint: Any
    exact: type | None
    is_moment: bool


def check_moment(value: str) -> None:
    """Raise ValueError unless `value` is an RFC 3339 date and time with a zone."""
    if not _RFC3339.match(value):
        raise ValueError("Expected an RFC 3339 date and time with a zone")
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("Expected a date that exists") from None


def without_content(error: Exception) -> str:
    """The broken rule, without the offending value, which msgspec quotes for enumerations and tags."""
    rule, path = rule_and_path(error)
    return f"{rule} - at `{path}`" if path else rule


def rule_and_path(error: Exception) -> tuple[str, str]:
    """The broken rule without the offending value, and where: a path as msgspec writes it, empty for the whole."""
    text = str(error)
    # A quoted value may hold anything, also what looks like a path; only a path ends the message in a backtick.
    path = re.search(r" - at `([^`]*)`\Z", text)
    rule = text[: path.start()] if path else text
    if rule.startswith(("Invalid value ", "Invalid enum value ")):
        rule = "Not one of the allowed values"
    return rule, path[1] if path else ""


def _check_unicode(kind: type, field: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON in UTF-8 cannot carry
        raise InvalidEventError(kind.__name__, field, "Expected whole Unicode characters") from None


# msgspec looks at a class when it meets it first, and a second thread that meets it meanwhile finds what is half made,
# which ends the process. So whoever is first looks at it alone.
FIRST_LOOK = threading.RLock()


def _compile(kind: type) -> list[_Rule]:
    with FIRST_LOOK:
        return Checked._rules.get(kind) or _compile_alone(kind)


def _compile_alone(kind: type) -> list[_Rule]:
    hints = get_type_hints(kind, include_extras=True)
    names: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    rules = [_Rule(name, hints[name], _exact(hints[name]), hints[name] is DateTime) for name in names]
    for rule in rules:
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.convert(None, rule.hint)
    Checked._rules[kind] = rules
    return rules


def _exact(hint: Any) -> type | None:
    # msgspec takes a dict for a struct, and a set for a list, and would leave it as it is in the field.
    plain = get_origin(hint.__origin__) if get_origin(hint) is Annotated else hint
    return plain if isinstance(plain, type) and issubclass(plain, (list, msgspec.Struct)) else None
