"""What a client is told when a picture can't be fetched.

A message names the URL's host at most: a path or a query may hold a signature, and an address that a name
resolves to is none of the client's business.
"""

from __future__ import annotations

from wattline.base.errors import ClientFault
from wattline.upstream.base import Broken

INSTEAD = "or send the picture's bytes as a data: URL"


def bad_url(why: str) -> ClientFault:
    """The URL itself can't be used."""
    return ClientFault(
        f"The image URL can't be fetched: {why}. Send a plain http or https URL, {INSTEAD}.",
        code="invalid_image_url",
    )


def not_allowed(why: str) -> ClientFault:
    """The URL leads to where nothing is fetched from."""
    return ClientFault(
        f"The image URL is not fetched: {why}. Use a URL of a public host, {INSTEAD}.",
        code="image_url_not_allowed",
    )


def failed(why: str) -> ClientFault:
    """The host gave no picture."""
    return ClientFault(
        f"The image could not be fetched: {why}. Check the URL, {INSTEAD}.",
        code="image_fetch_failed",
    )


def too_slow(host: str, seconds: float) -> ClientFault:
    """The time of one picture ran out."""
    return ClientFault(
        f"The image could not be fetched: {host} did not send it within {seconds:g} s. Try again, "
        f"{INSTEAD}.",
        code="image_fetch_timeout",
    )


def too_large(host: str, most: int) -> ClientFault:
    """More bytes than one picture may have."""
    return ClientFault(
        f"The image at {host} is larger than {most} bytes. Send a smaller one.",
        code="image_too_large",
    )


def no_image(host: str, why: str) -> ClientFault:
    """The host's answer is no picture of a kind that models read."""
    return ClientFault(
        f"What {host} sent is no image that can be used: {why}. Send a PNG, JPEG, GIF or WebP.",
        code="unsupported_image",
    )


def too_many(what: str, most: int, unit: str) -> ClientFault:
    """All pictures of one call together."""
    return ClientFault(
        f"The image URLs of this call are not fetched: {what} than {most} {unit}. Send fewer, "
        f"{INSTEAD}.",
        code="too_many_images",
    )


def bad_referer() -> ClientFault:
    """The per-request Referer can't be sent."""
    return ClientFault(
        "The referer for image fetches must be at most 2048 characters of plain ASCII.",
        code="invalid_referer",
        param="x-image-fetch-referer",
    )


def broken(error: Broken, host: str, seconds: float) -> ClientFault:
    """Why the host could not be asked, in the client's words."""
    match error.code:
        case "own_listener" | "forbidden_address":
            return not_allowed(f"{host} is this sidecar itself")
        case "connect_timeout" | "first_byte_timeout" | "idle_timeout" | "total_timeout":
            return too_slow(host, seconds)
        case "tls":
            return failed(f"the TLS connection to {host} failed, perhaps for its certificate")
        case "unsendable":
            return bad_url(f"the request to {host} could not be written")
        case "bad_answer" | "cut":
            return failed(f"the answer of {host} is broken or incomplete")
    return failed(f"{host} could not be reached")
