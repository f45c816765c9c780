"""Reads a gateway's request into a Call."""

from __future__ import annotations

from dataclasses import replace

from wattline.dialects.base import Route
from wattline.dialects.fields import Fields, optional_name, wrong
from wattline.dialects.gateway.prompt import read_gateway_prompt
from wattline.dialects.openai import request as openai
from wattline.dialects.openai.embeddings import OpenAIEmbeddings
from wattline.dialects.openai.rerank import RerankCodec
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request


def read_call(
    request: Request, route: Route, body: Fields, principal: Principal, path: str
) -> Call:
    """The neutral call. Raises ClientFault naming the field at fault: no provider sees the client's own
    bytes, so all of the body is checked here.
    """
    provider = optional_name(body, "provider")
    if provider is not None and "/" in provider:
        wrong("provider", "'provider' is the name of one provider, without '/'.", "invalid_value")
    call = openai.read_call(request, route, body, principal, path)
    if route.operation is Operation.CHAT:
        read_gateway_prompt(body)
    elif route.operation is Operation.EMBEDDINGS:
        OpenAIEmbeddings().read_request(body, call)
    else:
        RerankCodec().read_request(body, call)
    if provider is not None:
        call = replace(call, model=f"{provider}/{call.model}", provider=provider)
    return replace(call, stream=call.stream and route.operation is Operation.CHAT)


def own_name(call: Call) -> str:
    """The model as the client wrote it, without its provider."""
    return call.model if call.provider is None else call.model.removeprefix(f"{call.provider}/")
