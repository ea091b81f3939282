"""SHA-256 without OpenSSL: what hashlib loads for it takes longer than all the digests of an observation.

The interpreter's own implementation has another name from Python 3.12 on; where it was left out, hashlib serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256

__all__ = ["sha256"]
