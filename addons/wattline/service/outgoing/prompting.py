"""What the client asked for, read once for all targets that need it in neutral form."""

from __future__ import annotations

from wattline.base.errors import ClientFault, OurFault
from wattline.service.exchange import Exchange
from wattline.service.outgoing.passage import Passage
from wattline.wire.prompt import Prompt


class CannotExpress(Exception):
    """The target's API has no words for parts of the call. The message names them."""


def prompt_of(exchange: Exchange, passage: Passage) -> Prompt:
    """The client's own prompt. Raises CannotExpress when it has none."""
    if passage.client is None:
        raise OurFault("A call that can't be translated was to be.")
    if exchange.prompt is None:
        try:
            exchange.prompt = passage.client.read_prompt(exchange.value, exchange.call)
        except ClientFault as fault:
            raise CannotExpress(fault.message) from fault
    return exchange.prompt
