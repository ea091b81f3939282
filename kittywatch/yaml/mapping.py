"""YAML as data and nothing else, for frontmatter and configuration.

What YAML's loaders would do beyond mappings, lists and text is refused: tags, anchors and aliases, because nothing
here needs them and each is a way to make a reader do more than read. All scalars stay text: a lane named `no` is the
text `no`. Of a key that is there twice the last one counts, as in every YAML loader in use.

PyYAML's parser decides what a text says. To load it takes a hook longer than git takes for the whole commit, so the
few forms of line that nearly all frontmatter consists of are read by `simple`; a text with any other line is read by
`composer` from its beginning. A test holds the two equal.
"""

from __future__ import annotations

from kittywatch.yaml.simple import read_simple
from kittywatch.yaml.values import Value


def read_mapping(text: str) -> tuple[dict[str, Value], dict[str, int]]:
    """The text's mapping, and the line of each of its keys, from 1; raises PlainYamlError."""
    found = read_simple(text)
    if found is not None:
        return found
    from kittywatch.yaml.composer import read_whole  # see above

    return read_whole(text)
