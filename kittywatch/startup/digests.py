"""SHA-256, mostly without OpenSSL: what hashlib loads for it takes longer than all the digests of an observation.

The interpreter's own implementation has another name from Python 3.12 on; where it was left out, hashlib serves. It
also serves for much data at once, of which it makes up for the loading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from hashlib import _Hash
    from hashlib import sha256 as _small
else:
    try:
        from _sha2 import sha256 as _small
    except ImportError:
        try:
            from _sha256 import sha256 as _small
        except ImportError:
            from hashlib import sha256 as _small

Digest: TypeAlias = "_Hash"
_MUCH = 1 << 20


def sha256(data: bytes = b"") -> Digest:
    """A SHA-256 of some bytes, to which more can be added."""
    if len(data) < _MUCH:
        return _small(data)
    from hashlib import sha256 as large  # see above

    return large(data)
