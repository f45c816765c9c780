"""Lists of what can be heard and said, through real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from kit.clients import REVERSE
from kit.sidecars import running
from wattline.service.catalog.entry import Entry
from wattline.web.models.audio import VOICES, capabilities

RULES = """
version: 1
providers:
  p0: {url: "http://127.0.0.1:9/v1", models: [{id: gpt-x}, {id: whisper-1}, {id: tts-1}, {id: gpt-4o-mini-tts}]}
rules: [{name: by-model, try: model}]
"""


async def ask(sidecar: Any, path: str, method: str = "GET") -> Any:
    return await sidecar.call(b"", REVERSE, path=path, method=method)


async def test_models_for_sound(tmp_path):
    """B-030"""
    async with running(tmp_path, 0, text=RULES) as sidecar:
        found = (await ask(sidecar, "/v1/audio/models")).json()["data"]
        kinds = {model["id"]: model["capabilities"] for model in found}
        assert kinds == {
            "whisper-1": ["transcription"],
            "tts-1": ["speech"],
            "gpt-4o-mini-tts": ["speech"],
        }


async def test_voices(tmp_path):
    """B-029"""
    async with running(tmp_path, 0, text=RULES) as sidecar:
        found = (await ask(sidecar, "/v1/audio/voices")).json()
        assert [voice["id"] for voice in found["data"]] == list(VOICES)
        assert (await ask(sidecar, "/v1/audio/voices", "POST")).status == 405
        assert (await ask(sidecar, "/v1/audio/voicez")).status == 404


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("gpt-4o", []),
        ("openai/whisper-large-v3-turbo", ["transcription"]),
        ("gpt-4o-transcribe", ["transcription"]),
        ("playai-tts", ["speech"]),
        ("gpt-4o-audio", ["speech", "transcription"]),
        ("attsa", []),
    ],
)
def test_names_tell(name, kinds):
    assert capabilities(Entry(name, name, "p", name)) == kinds
