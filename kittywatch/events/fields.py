"""Field types of the contract, and values that are valid from construction.

msgspec checks constraints when it decodes; `Checked` makes the same constraints hold for values built in Python, so
that no invalid event exists anywhere past its constructor.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, get_type_hints

import msgspec
from msgspec import Meta

# \Z instead of $: Python's $ also matches before a trailing newline. The schema export writes it back as $.
Ulid = Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")]
WorkPackageId = Annotated[str, Meta(pattern=r"^WP[0-9]{2}\Z")]
NodeId = Annotated[str, Meta(pattern=r"^[0-9a-f]{12}\Z")]
ProjectUuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]
FeatureName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
FeatureNumber = Annotated[str, Meta(pattern=r"^[0-9]{3}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Tick = Annotated[int, Meta(ge=1)]
DateTime = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
LaneName = Literal["planned", "doing", "for_review", "done"]

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
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

    _rules: ClassVar[dict[type, list[tuple[str, Any, bool]]]] = {}

    def __post_init__(self) -> None:
        kind = type(self)
        rules = Checked._rules.get(kind) or _compile(kind)
        for field, hint, is_moment in rules:
            value = getattr(self, field)
            try:
                msgspec.convert(value, hint)
                if is_moment:
                    check_moment(value)
            except (msgspec.ValidationError, ValueError) as error:
                raise InvalidEventError(kind.__name__, field, without_content(error)) from None


def check_moment(value: str) -> None:
    """Raise ValueError unless `value` is an RFC 3339 date and time with a zone."""
    if not _RFC3339.match(value):
        raise ValueError("Expected an RFC 3339 date and time with a zone")
    if value[17:19] == "60":  # a leap second, which RFC 3339 has and datetime has not
        value = value[:17] + "59" + value[19:]
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("Expected a date that exists") from None


def _compile(kind: type) -> list[tuple[str, Any, bool]]:
    hints = get_type_hints(kind, include_extras=True)
    rules = [(name, hints[name], hints[name] is DateTime) for name in kind.__struct_fields__]  # type: ignore[attr-defined]
    Checked._rules[kind] = rules
    return rules


def without_content(error: Exception) -> str:
    """The broken rule, without the offending value, which msgspec quotes for enumerations and tags."""
    return re.sub(r"Invalid (enum )?value .*?(?= - at |\Z)", "Not one of the allowed values", str(error), flags=re.S)
