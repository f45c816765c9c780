"""What our own pages answer when all is well: a compact schema and a sentence for each, by the endpoint's name.

Members that are not named here may come too. Pages that describe their answers themselves are not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

type Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_MAYBE: Final[Json] = {"type": ["string", "null"]}
_MOMENT: Final[Json] = {"type": ["string", "null"], "description": "ISO 8601, UTC."}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Json] = {"type": ["number", "null"]}
_ENERGY: Final[Json] = {"type": ["number", "null"], "description": "Energy; null for no limit."}
_FLAG: Final[Json] = {"type": "boolean"}
_THING: Final[Json] = {"type": "object"}
_MAYBE_THING: Final[Json] = {"type": ["object", "null"]}
_TEXTS: Final[Json] = {"type": "array", "items": _TEXT}
_COUNTS: Final[Json] = {"type": "object", "additionalProperties": _COUNT}


def _shape(**members: Json) -> Json:
    """An object with all of these."""
    return {"type": "object", "required": list(members), "properties": members}


def _some(schema: Json, **members: Json) -> Json:
    """`schema`, with members that need not be there."""
    return {**schema, "properties": {**schema["properties"], **members}}


def _without(schema: Json, *names: str) -> Json:
    """`schema` without some members."""
    left = {name: member for name, member in schema["properties"].items() if name not in names}
    return _shape(**left)


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _stamped(**members: Json) -> Json:
    return _shape(**members, timestamp=_TEXT)


def _page(name: str) -> Json:
    return _stamped(
        entries=_list(_ref(name)), count=_COUNT, total=_COUNT, limit=_COUNT, offset=_COUNT
    )


_SPANS: Final[Json] = _shape(hour=_ENERGY, day=_ENERGY, month=_ENERGY)
_KEY: Final[Json] = _shape(
    id=_MAYBE, user=_TEXT, userId=_TEXT, key=_MAYBE, role=_TEXT, tier=_MAYBE, label=_TEXT, active=_FLAG,
    created=_MOMENT, expires=_MOMENT, disabled=_MOMENT, models={"type": ["array", "null"], "items": _TEXT},
    budgets=_SPANS, spent={**_SPANS, "type": ["object", "null"]}, balance=_ENERGY, notes=_TEXTS,
)  # fmt: skip
_MODEL_RECORD: Final[Json] = _shape(
    id=_TEXT, name=_TEXT, description=_TEXT, context_length=_NUMBER, pricing=_shape(prompt=_MAYBE, completion=_MAYBE),
    supported_parameters=_TEXTS, is_moderated={}, max_completion_tokens=_NUMBER, provider=_TEXT, tier=_MAYBE,
    tokens_per_energy=_NUMBER, available=_FLAG,
)  # fmt: skip

SCHEMAS: Final[Json] = {
    "Key": _KEY,
    "OwnKey": _shape(
        **_KEY["properties"], tierLimits=_MAYBE_THING, windows=_list(_ref("Window")), requestCount=_COUNT,
        tokenUsage=_COUNT, usage=_ref("Used"), timestamp=_TEXT,
    ),
    "Used": _shape(
        requestCount=_COUNT, attempts=_COUNT, failedAttempts=_COUNT, promptTokens=_COUNT, completionTokens=_COUNT,
        tokenUsage=_COUNT, energy=_NUMBER, first=_MOMENT, last=_MOMENT, days=_COUNT, whole=_FLAG,
    ),
    "User": _shape(
        id=_TEXT, userId=_TEXT, name=_TEXT, email=_MAYBE, role=_TEXT, tier=_MAYBE, created=_MOMENT,
        disabled=_MOMENT, balance=_ENERGY, keys=_COUNT, notes=_TEXTS,
    ),
    "Window": _shape(
        name=_TEXT, scope=_TEXT, seconds=_NUMBER, calls=_MAYBE_THING, tokens=_MAYBE_THING, freeAfter=_NUMBER
    ),
    "Provider": _shape(
        id=_TEXT, dialect=_TEXT, url=_TEXT, key=_MAYBE, status=_TEXT, reason=_MAYBE, available=_FLAG,
        unavailable=_MAYBE, disabled=_MAYBE_THING, resting=_MAYBE_THING, modelCount=_COUNT, demo=_FLAG,
    ),
    "Performance": _some(
        _shape(
            provider=_TEXT, attempts=_COUNT, calls=_COUNT, complete=_COUNT, failed=_COUNT, aborted=_COUNT,
            truncated=_COUNT, excludedErrors=_COUNT, errorRate=_NUMBER, errors=_COUNTS, promptTokens=_COUNT,
            completionTokens=_COUNT, energy=_NUMBER, avgFirstByteMs=_NUMBER, avgResponseMs=_NUMBER,
            medianResponseMs=_NUMBER, p95ResponseMs=_NUMBER,
        ),
        model=_TEXT,
    ),
    "Performances": _stamped(
        entries=_list(_ref("Performance")), count=_COUNT, seconds=_COUNT, whole=_FLAG
    ),
    "OfferedKey": _shape(
        id=_TEXT, provider=_TEXT, tier=_MAYBE, key=_TEXT, receivedAt=_MOMENT,
        state={"enum": ["waiting", "accepted", "rejected"]}, decidedAt=_MOMENT, decidedBy=_MAYBE,
    ),
    "IssuedKey": _stamped(message=_TEXT, userId=_TEXT, apiKey=_TEXT, key=_ref("Key")),
    "OneKey": _stamped(key=_ref("Key")),
    "OneUser": _stamped(user=_ref("User")),
    "OneProvider": _stamped(provider=_some(_shape(id=_TEXT), disabledModels=_THING)),
    "OneOfferedKey": _stamped(offer=_ref("OfferedKey")),
    "ModelRecord": _MODEL_RECORD,
    "OpenAIModel": _some(
        _shape(id=_TEXT, object={"const": "model"}, created=_COUNT, owned_by=_TEXT), name=_TEXT,
        provider_count=_COUNT, capabilities=_TEXTS, context_length=_COUNT, max_completion_tokens=_COUNT,
    ),
    "AnthropicModel": _some(
        _shape(type={"const": "model"}, id=_TEXT, display_name=_TEXT, created_at=_TEXT),
        max_input_tokens=_COUNT, max_tokens=_COUNT,
    ),
    "GeminiModel": _some(
        _shape(
            name=_TEXT, version=_TEXT, displayName=_TEXT, description=_TEXT, supportedGenerationMethods=_TEXTS
        ),
        inputTokenLimit=_COUNT, outputTokenLimit=_COUNT,
    ),
    "AnthropicModels": _shape(
        data=_list(_ref("AnthropicModel")), has_more=_FLAG, first_id=_MAYBE, last_id=_MAYBE
    ),
    "GeminiModels": _some(_shape(models=_list(_ref("GeminiModel"))), nextPageToken=_TEXT),
    "OpenAIModels": _shape(object={"const": "list"}, data=_list(_ref("OpenAIModel"))),
}  # fmt: skip
"""For `components/schemas`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer. `said` stands where the endpoint's own words are none."""

    schema: Json
    said: str = ""


_RECORDS: Final = Answer(_shape(data=_list(_ref("ModelRecord"))))
_SUMMARY: Final = Answer(
    _stamped(
        uptimeSeconds=_COUNT, providers=_COUNTS, models=_shape(total=_COUNT, providersPerModel=_COUNTS),
        keys=_shape(total=_COUNT, active=_COUNT, byRole=_COUNTS, byTier=_COUNTS), users=_shape(total=_COUNT),
        usage=_shape(
            seconds=_COUNT, attempts=_COUNT, complete=_COUNT, failed=_COUNT, promptTokens=_COUNT,
            completionTokens=_COUNT, energy=_NUMBER, whole=_FLAG,
        ),
        errorLog=_THING,
    )
)  # fmt: skip

ANSWERS: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        "KeyPages.all": Answer(_page("Key")),
        "KeyPages.one": Answer(_stamped(key=_some(_KEY, usage=_ref("Used")))),
        "KeyPages.make": Answer(
            _ref("IssuedKey"), "A key, and its user if there is none. `apiKey` is shown this once."
        ),
        "KeyPages.generate": Answer(_ref("IssuedKey")),
        "KeyPages.change": Answer(_ref("OneKey")),
        "KeyPages.delete": Answer(_stamped(deleted={"const": True}, key=_ref("Key"))),
        "KeyPages.disable": Answer(_ref("OneKey"), "It counts from the next call on."),
        "KeyPages.enable": Answer(_ref("OneKey"), "It counts from the next call on."),
        "KeyPages.rotate": Answer(_stamped(apiKey=_TEXT, key=_ref("Key"))),
        "OwnKey.me": Answer(_ref("OwnKey")),
        "UserPages.all": Answer(_page("User")),
        "UserPages.make": Answer(_ref("OneUser")),
        "UserPages.one": Answer(
            _stamped(user=_ref("User"), keys=_list(_without(_KEY, "userId", "notes"))),
            "A user with its balance and its keys.",
        ),
        "UserPages.change": Answer(_ref("OneUser")),
        "UserPages.disable": Answer(
            _ref("OneUser"), "All its keys and logins are refused from the next call on."
        ),
        "UserPages.enable": Answer(_ref("OneUser"), "Its keys are let in again."),
        "UserPages.credit": Answer(_ref("OneUser")),
        "UserPages.subtract": Answer(_ref("OneUser"), "409 when there is not so much."),
        "ProviderAdmin.all": Answer(_stamped(entries=_list(_ref("Provider")), count=_COUNT)),
        "ProviderAdmin.one": Answer(
            _stamped(
                provider=_some(
                    SCHEMAS["Provider"], models=_list(_THING), windows=_list(_ref("Window")),
                    timeouts=_THING, retries=_COUNT,
                    performance=_shape(seconds=_COUNT, models=_list(_ref("Performance"))),
                )
            )
        ),
        "ProviderAdmin.disable": Answer(_ref("OneProvider")),
        "ProviderAdmin.enable": Answer(_ref("OneProvider"), "409 when it was not off."),
        "MetricsPages.summary": _SUMMARY,
        "MetricsPages.providers": Answer(
            _ref("Performances"), "From the ledger: attempts, tokens, errors and times of each provider."
        ),
        "MetricsPages.models": Answer(
            _ref("Performances"), "From the ledger: attempts, tokens, errors and times of each model."
        ),
        "MetricsPages.cache": Answer(
            _stamped(conversations=_list(_THING), totals=_THING),
            "Conversations whose prompts were looked at, the latest first, what broke the caches of each, and totals.",
        ),
        "MetricsPages.errors": Answer(_stamped(entries=_list(_THING), count=_COUNT)),
        "OfferPages.offer": Answer(
            _stamped(message=_TEXT, id=_TEXT),
            "It is kept sealed. Needs an admin's key unless ADMIN_KEYS_OPEN is set.",
        ),
        "OfferPages.log": Answer(_stamped(entries=_list(_THING), count=_COUNT, total=_COUNT)),
        "OfferPages.all": Answer(_page("OfferedKey")),
        "OfferPages.accept": Answer(_stamped(offer=_ref("OfferedKey"), key=_TEXT, message=_TEXT)),
        "OfferPages.reject": Answer(
            _ref("OneOfferedKey"), "The key is forgotten; that it was offered is not."
        ),
        "RefreshPages.refresh": Answer(_stamped(message=_TEXT, providerCounts=_COUNTS)),
        "OpenAIModels.all": Answer(
            {"anyOf": [_ref("OpenAIModels"), _ref("AnthropicModels"), _ref("GeminiModels")]}
        ),
        "OpenAIModels.one": Answer(
            {"anyOf": [_ref("OpenAIModel"), _ref("AnthropicModel"), _ref("GeminiModel")]}
        ),
        "AnthropicModels.all": Answer(_ref("AnthropicModels")),
        "AnthropicModels.one": Answer(_ref("AnthropicModel")),
        "GeminiModels.all": Answer(_ref("GeminiModels")),
        "GeminiModels.one": Answer(_ref("GeminiModel")),
        "OllamaModels.tags": Answer(_shape(models=_list(_shape(name=_TEXT, model=_TEXT)))),
        "OllamaModels.show": Answer(_shape(details=_THING, model_info=_THING, capabilities=_TEXTS)),
        "OllamaModels.ps": Answer(_shape(models=_list(_THING))),
        "OllamaModels.version": Answer(_shape(version=_TEXT)),
        "AudioPages.models": Answer(
            _shape(object={"const": "list"}, data=_list(_shape(id=_TEXT, capabilities=_TEXTS)))
        ),
        "AudioPages.voices": Answer(
            _shape(object={"const": "list"}, data=_list(_shape(id=_TEXT, name=_TEXT)))
        ),
        "ProviderPages.all": Answer(
            _shape(
                providers=_list(
                    _some(
                        _shape(id=_TEXT, name=_TEXT, status=_TEXT, models=_TEXTS, capabilities=_TEXTS),
                        reason=_TEXT,
                    )
                )
            )
        ),
        "ServiceModels.all": Answer(
            _shape(
                data=_list(_ref("ModelRecord")),
                pagination=_shape(total=_COUNT, limit=_COUNT, offset=_COUNT, hasMore=_FLAG),
            )
        ),
        "ServiceModels.top": _RECORDS,
        "ServiceModels.search": Answer(
            _shape(data=_list(_ref("ModelRecord")), query=_TEXT, total=_COUNT)
        ),
        "ServiceModels.providers": Answer(_shape(data=_TEXTS)),
        "ServiceModels.of_provider": Answer(
            _shape(data=_list(_ref("ModelRecord")), provider=_TEXT)
        ),
        "ServiceModels.parameters": Answer(
            _shape(data=_shape(model=_TEXT, supported_parameters=_TEXTS))
        ),
        "ServiceModels.pricing": Answer(_shape(data=_shape(model=_TEXT, pricing=_THING))),
        "ServiceModels.one": Answer(_shape(data=_ref("ModelRecord"))),
        "DocumentPage.page": Answer(_shape(openapi=_TEXT, info=_THING, paths=_THING)),
    }
)  # fmt: skip
"""By the endpoint's qualified name."""


def describe(endpoint: str, operation: Json) -> None:
    """Put the schema where the operation has none for its good answer."""
    answer = ANSWERS.get(endpoint)
    if answer is None:
        return
    if answer.said:
        operation.setdefault("description", answer.said)
    for status, told in operation["responses"].items():
        content = told.get("content", {}).get("application/json")
        if status.startswith("2") and content is not None and not content.get("schema"):
            content["schema"] = answer.schema
            if told.get("description") == "Successful Response":
                told["description"] = "Done."
