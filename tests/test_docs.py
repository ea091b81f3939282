"""The documentation: what code and tests cite is defined there, links lead somewhere, terms have one meaning."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
CITING = ("kittywatch", "hooks", "tests", "examples")
SUFFIXES = {".css", ".html", ".js", ".md", ".py", ".sh", ".toml", ".yaml", ".yml"}

# The letters with which rules begin, wherever they stand by themselves; after the word "rule" any letter is a citation.
_FAMILIES = "RDOBEMCK"
_RULE = rf"[{_FAMILIES}]\d{{1,2}}[a-z]?"
_NUMBER = r"\d{1,3}[a-z]?"
_BREAK = r"(?:\s|#)+"  # a citation may go on in the next line of a comment
_TO = rf"(?:{_BREAK}to{_BREAK}|\s?[–-]\s?)"
_BEGINS = r"(?<![\w%\\.#$&=+])"  # %C3 is a byte, #E5E7EB a colour
_ENDS = r"(?!\w|[.%]\w)"
_RULES = re.compile(rf"{_BEGINS}({_RULE})(?:{_TO}({_RULE}))?{_ENDS}")
_NAMED_RULE = re.compile(rf"\b[Rr]ules?{_BREAK}([A-Z]\d+[a-z]?)(?!\w)")
_SCENARIOS = re.compile(
    rf"\b[Ss]cenarios?{_BREAK}({_NUMBER}(?:(?:,{_BREAK}and{_BREAK}|,{_BREAK}|{_BREAK}(?:and|or){_BREAK}|{_TO}){_NUMBER})*)"
    rf"(?!\w)"
)
_RANGE = re.compile(rf"({_NUMBER})(?:{_TO}({_NUMBER}))?")

_HEADING = re.compile(r"^(#{1,6}) (.+?)\s*$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_FENCED = re.compile(r"^```.*?^```|^ {4}.*?$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_TERM = re.compile(r"^- \*\*(.+?)\*\*", re.MULTILINE)


class Citation(NamedTuple):
    """A rule ("O4") or a scenario ("scenario 26b"), and the line of the text that cites it."""

    name: str
    line: int


def citations(text: str) -> Iterator[Citation]:
    """Every rule and scenario that a text cites; of a range its ends and what lies between."""
    for found in _RULES.finditer(text):
        if not _is_value(text, found):
            for name in _between(found[1], found[2]):
                yield Citation(name, _line(text, found))
    for found in _NAMED_RULE.finditer(text):
        if not re.fullmatch(_RULE, found[1]):
            yield Citation(found[1], _line(text, found))
    for found in _SCENARIOS.finditer(text):
        for one in _RANGE.finditer(found[1]):
            for number in _between(one[1], one[2]):
                yield Citation(f"scenario {number}", _line(text, found))


def _is_value(text: str, found: re.Match[str]) -> bool:
    """Whether it is a string of its own, such as "E1", and no text."""
    before, after = text[: found.start()][-3:], text[found.end() :][:3]
    quote = before[-1:]
    return quote in ("'", '"') and after[:1] == quote and before != after


def _between(first: str, last: str | None) -> list[str]:
    """`R1` and `R3` are R1, R2 and R3; of ends with letters only the ends are known."""
    if last is None:
        return [first]
    letter = first.rstrip("0123456789abcdefghijklmnopqrstuvwxyz")
    start, end = first.removeprefix(letter), last.removeprefix(letter)
    if not (start.isdigit() and end.isdigit()):
        return [first, last]
    return [f"{letter}{number}" for number in range(int(start), int(end) + 1)] or [first, last]


def _line(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1


def definitions() -> list[str]:
    """Every rule that is a heading, and every scenario that has an anchor, in the order of the pages."""
    defined: list[str] = []
    for page in DOCS:
        text = page.read_text("utf-8")
        defined += [title for _, title in _HEADING.findall(text) if re.fullmatch(_RULE, title)]
        defined += [f"scenario {name[9:]}" for name in _ANCHOR.findall(text) if name.startswith("scenario-")]
    return defined


def citing_files() -> Iterator[Path]:
    yield from PAGES
    for directory in CITING:
        for path in sorted((ROOT / directory).rglob("*")):
            # This file cites what there is not, to see that it is found.
            if path.suffix in SUFFIXES and path.is_file() and path != Path(__file__).resolve():
                yield path


def anchors(page: Path) -> set[str]:
    """The anchors of a page as GitHub makes them: of its headings, and those that stand in it."""
    text = page.read_text("utf-8")
    met: Counter[str] = Counter()
    found = set(_ANCHOR.findall(text))
    for _, title in _HEADING.findall(_FENCED.sub("", text)):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        found.add(f"{slug}-{met[slug]}" if met[slug] else slug)
        met[slug] += 1
    return found


def links(page: Path) -> Iterator[str]:
    """Where a page's links and pictures lead within the repository."""
    text = _CODE.sub("", _FENCED.sub("", page.read_text("utf-8")))
    yield from (target for target in _LINK.findall(text) if not re.match(r"[a-z]+:", target))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("settled (rule R5)", ["R5"]),
        ("(rules R2, R6 and D3b)", ["R2", "R6", "D3b"]),
        ('"""O3"""', ["O3"]),
        ('"""B2: a replay', ["B2"]),
        ('raise BrokenRuleError(f"O1-O4: {heard}")', ["O1", "O2", "O3", "O4"]),
        ("R1 to R3, O5.", ["R1", "R2", "R3", "O5"]),
        ("E1–E3", ["E1", "E2", "E3"]),
        ("D3 to D3b", ["D3", "D3b"]),
        ("rule P4", ["P4"]),
        ("rule O99 and rule B0", ["O99", "B0"]),
        ("(rule O123)", ["O123"]),
        ("scenario 26b", ["scenario 26b"]),
        (
            "Scenarios 11 to 13, 30b and 31 of it",
            ["scenario 11", "scenario 12", "scenario 13", "scenario 30b", "scenario 31"],
        ),
        ("# which is scenarios 7 and\n    # 9 or 10", ["scenario 7", "scenario 9", "scenario 10"]),
        ("scenario 31: 1 + 7 events", ["scenario 31"]),
        ("scenario 160", ["scenario 160"]),
        ('link.sent("E1", 0); {"event_id": "E1"}', []),
        ("rule 4, (rules 3 to 5), tests.scenarios.world, several scenarios", []),
        ("a1b2c3d4 0xE5 \\xE9 %C3%A9 #E5E7EB E501 WP01 O1xy B1_2 C3.md 3.2.7", []),
    ],
)
def test_the_finder(text: str, found: list[str]) -> None:
    assert [name for name, _ in citations(text)] == found


def test_a_citation_has_its_line() -> None:
    assert list(citations("\n\nin scenario 3\n(rule O1)")) == [Citation("O1", 4), Citation("scenario 3", 3)]


def test_what_is_cited_is_defined() -> None:
    defined = set(definitions())
    missing = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in citing_files()
        for name, line in citations(path.read_text("utf-8"))
        if name not in defined
    ]
    assert missing == []


def test_code_and_tests_cite_rules_and_scenarios() -> None:
    """So that the search is not silent because it has lost its way."""
    code = {name for path in (ROOT / "kittywatch").rglob("*.py") for name, _ in citations(path.read_text("utf-8"))}
    tests = {name for path in (ROOT / "tests").rglob("test_*.py") for name, _ in citations(path.read_text("utf-8"))}
    assert {"O3", "R5", "B1"} <= code
    assert {"O3", "scenario 16", "scenario 23", "scenario 24"} <= tests


def test_definitions_are_complete_and_single() -> None:
    """Rules and scenarios are numbered through, and those with a letter follow their number."""
    defined = definitions()
    assert [name for name, times in Counter(defined).items() if times > 1] == []
    families = {re.sub(r"\d+[a-z]?$", "", name) for name in defined}
    assert families == {*_FAMILIES, "scenario "}
    for family in families:
        numbers = [re.sub(r"[a-z]$", "", name.removeprefix(family)) for name in defined if name.startswith(family)]
        assert set(map(int, numbers)) == set(range(1, max(map(int, numbers)) + 1)), family
        if family == "scenario ":
            assert numbers == sorted(numbers, key=int)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_a_page_begins_with_its_contents(page: Path) -> None:
    """Every heading is linked at the top, rules too."""
    text = page.read_text("utf-8")
    top = set(re.findall(r"\]\(#([^)]+)\)", text[: text.index("\n## ")]))
    headings = {slug for slug in anchors(page) if not slug.startswith("scenario-")}
    title = re.sub(r"[^\w\- ]", "", text.splitlines()[0].removeprefix("# ").lower()).replace(" ", "-")
    assert headings - top - {title} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        known = to.exists() and to.is_relative_to(ROOT)
        if not known or (anchor and anchor not in anchors(to)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", page.read_text("utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_readme_and_contributing_link_every_page() -> None:
    for page in PAGES[:2]:
        linked = {target.partition("#")[0].removeprefix("docs/") for target in links(page) if "docs/" in target}
        assert {page.name for page in DOCS} <= linked, page.name


def test_terms_are_single_and_take_one_line() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    # A name of the code is another term than the same word, written as a name is.
    terms = [term if term.startswith("`") else term.casefold() for term in _TERM.findall(text)]
    assert len(terms) > 50
    assert [term for term, times in Counter(terms).items() if times > 1] == []
    body = text[text.index("\n## ") :]
    odd = [line for line in body.splitlines() if line and not re.fullmatch(r"## .+|- \*\*.+\*\*.*: .+\.", line)]
    assert odd == []


def test_docs_are_distributed_with_the_tests_that_read_them() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert {"docs", "tests"} <= set(targets["sdist"]["include"])
