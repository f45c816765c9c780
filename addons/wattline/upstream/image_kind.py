"""What kind of picture an answer holds: by its declared type and by its first bytes, which must agree that
it is one.

Signatures: PNG (RFC 2083, 3.1), JPEG (ITU-T T.81, B.1.1.3), GIF (GIF89a, 17), WebP (RFC 9649, 2.4).
"""

from __future__ import annotations

from wattline.upstream.image_faults import no_image

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_GIFS = (b"GIF87a", b"GIF89a")
_REFUSED = ("image/svg+xml", "image/svg")
"""Programs more than pictures: they can name further files."""


def check_declared(content_type: str, host: str) -> None:
    """Raises ClientFault unless a Content-Type is that of a picture."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _REFUSED:
        raise no_image(host, "it is SVG")
    if not kind.startswith("image/"):
        raise no_image(host, "its content-type is not image/…")


def media_type(data: bytes | bytearray, host: str) -> str:
    """The type that the bytes are. Raises ClientFault when they are none of the four."""
    if data.startswith(_PNG):
        return "image/png"
    if data.startswith(_JPEG):
        return "image/jpeg"
    if data.startswith(_GIFS):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    raise no_image(host, "its bytes are not those of such an image")
