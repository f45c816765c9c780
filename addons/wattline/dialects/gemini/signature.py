"""Thought signatures on the wire: bytes in base64, Gemini's own or, in an answer to a Gemini client,
another provider's.
"""

from __future__ import annotations

import base64
import binascii
import re

from wattline.wire.parts import Reasoning

SKIP = "skip_thought_signature_validator"
"""What Google documents for calls in a history that another model made: Gemini 3 refuses a call of the
current turn without a signature.
"""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_REDACTED = b"wattline.redacted:"
_FOREIGN = b"wattline.signature:"


def own(signature: str | None) -> str | None:
    """A signature that a client sent back, as its provider gave it; None for none and for `SKIP`."""
    if not signature or signature == SKIP:
        return None
    found = _unpacked(signature)
    return found.removeprefix(_FOREIGN).decode() if found.startswith(_FOREIGN) else signature


def thought(text: str, signature: str) -> Reasoning:
    """A signed thought; one that only its provider can read comes back as it was."""
    found = _unpacked(signature)
    if found.startswith(_REDACTED):
        return Reasoning(redacted=found.removeprefix(_REDACTED).decode())
    return Reasoning(text, own(signature))


def packed(signature: str) -> str:
    """A signature as SDKs can read it: as it is when it is base64."""
    if _BASE64.fullmatch(signature) and len(signature) % 4 == 0:
        return signature
    return _pack(_FOREIGN, signature)


def packed_redacted(redacted: str) -> str:
    """A thought that only its provider can read, in place of a signature."""
    return _pack(_REDACTED, redacted)


def _pack(mark: bytes, text: str) -> str:
    return base64.b64encode(mark + text.encode("utf-8", "replace")).decode()


def _unpacked(signature: str) -> bytes:
    """The bytes of one of ours; empty for any other."""
    # `wattline.`, with which both marks begin, in base64: most signatures need no closer look.
    if not signature.startswith("d2F0dGxpbmUu"):
        return b""
    try:
        found = base64.b64decode(signature.translate({45: "+", 95: "/"}), validate=True)
        found.decode()
    except (binascii.Error, ValueError):
        return b""
    return found
