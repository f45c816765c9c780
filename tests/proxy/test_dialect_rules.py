"""What rules change on a call's way to another dialect: `unsupported` and `adapt`."""

from __future__ import annotations

import pytest

from kit.books import rows
from kit.providers.fleet import DIALECTS, fleet
from kit.providers.saying import Called, Fault, Saying
from kit.sdks.all import ONE_TURN, SDKS
from kit.sdks.asking import Ask, Door, User

HI = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALLS = (
    Called("call_1", "get_weather", {"city": "Bern"}),
    Called("call_2", "get_weather", {"city": "B"}),
)

CANNOT = [
    # provider, what it can't do, how that is called
    ("anthropic", {"logit_bias": {"1": 2}}, "logit_bias"),
    ("anthropic", {"n": 2}, "n"),
    ("gemini", {"logit_bias": {"1": 2}}, "logit_bias"),
    ("ollama", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
    ("ollama", {"n": 2}, "n"),
    ("generate", {"tools": [TOOL]}, "tools"),
    ("generate", {"response_format": {"type": "json_object"}}, "response_format"),
    ("generate", {"stop": ["x"]}, "stop"),
]


def chat(model: str, **more) -> dict:
    return {"model": model, "messages": HI, **more}


async def test_what_a_target_cannot_do(tmp_path):
    """Without a rule about it: 400 that names it, nothing is sent; in a chain the next target is asked."""
    async with fleet(tmp_path) as sidecar:
        for dialect, more, name in CANNOT:
            reply = await sidecar.call(chat(f"m-{dialect}", **more))
            assert reply.status == 400, (dialect, more)
            assert reply.json()["error"]["code"] == "unsupported_by_target"
            assert name in reply.json()["error"]["message"]
        assert sidecar.asked == []
        reply = await sidecar.call(chat("chain", logit_bias={"1": 2}))
        assert reply.headers["x-wattline-provider"] == "openai"
        assert sidecar.asked == ["openai"]
        assert "x-wattline-dropped" not in reply.headers
        sidecar.check()


@pytest.mark.parametrize("stream", [False, True])
async def test_what_may_be_dropped(tmp_path, stream):
    """`unsupported: drop`: it is left out, and the answer's header names it."""
    async with fleet(tmp_path, rule=", unsupported: drop") as sidecar:
        for dialect, more, name in CANNOT:
            reply = await sidecar.call(chat(f"m-{dialect}", stream=stream, **more))
            assert reply.status == 200, reply.body
            assert name in reply.headers["x-wattline-dropped"]
        sidecar.check()


async def test_a_header_tells_of_the_target_that_answered(tmp_path):
    """What an earlier target would have lost is not told."""
    async with fleet(tmp_path, rule=", unsupported: drop") as sidecar:
        sidecar.provider("anthropic").script(Saying(fault=Fault.STATUS, status=503))
        reply = await sidecar.call(chat("chain", logit_bias={"1": 2}))
        assert sidecar.asked == ["anthropic", "openai"]
        assert "x-wattline-dropped" not in reply.headers
        sidecar.check()


async def test_hints_are_dropped_by_name(tmp_path):
    """What changes nothing of an answer is left out without a rule, and told as well."""
    async with fleet(tmp_path) as sidecar:
        reply = await sidecar.call(chat("m-gemini", user="u1", prompt_cache_key="k"))
        assert reply.status == 200
        assert set(reply.headers["x-wattline-dropped"].split(", ")) == {"user", "prompt_cache_key"}
        sidecar.check()


async def test_whole(tmp_path):
    """A-052: asked without streaming, the client streams all the same, whatever both speak."""
    async with fleet(tmp_path, rule=", adapt: [whole]") as sidecar:
        for dialect in DIALECTS[:4]:
            for name, ask in SDKS.items():
                tools = name not in ONE_TURN
                text = "word " * 40
                saying = Saying(texts=(text,), calls=CALLS if tools else (), prompt=50)
                sidecar.provider(dialect).script(saying)
                door = Door(sidecar.url)
                heard = await ask(door, f"m-{dialect}", Ask(tools=tools), stream=True)
                assert sidecar.provider(dialect).last.meaning.stream is False
                assert heard.text == text
                assert heard.calls == ([(c.name, c.arguments) for c in CALLS] if tools else [])
                assert (heard.prompt, heard.completion) == (50, 12)
                assert heard.stop == ("tool" if tools else "end")
                assert heard.pieces > 3
        assert {row["state"] for row in rows(sidecar.state)} == {"complete"}
        sidecar.check()


async def test_whole_fails_over(tmp_path):
    """What is no answer goes on to the next target, since nothing has been said yet."""
    faults = (Fault.ERROR_MID, Fault.CUT_MID, Fault.GARBAGE, Fault.EMPTY)
    async with fleet(tmp_path, rule=", adapt: [whole]") as sidecar:
        for dialect, fault in zip(DIALECTS, faults, strict=False):
            sidecar.provider(dialect).script(Saying(fault=fault))
        heard = await SDKS["anthropic"](Door(sidecar.url), "chain", Ask(), stream=True)
        assert heard.text == Saying().texts[0]
        assert sidecar.asked == list(DIALECTS)
        sidecar.check()


MESSY = [
    {"role": "system", "content": "Be brief."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "One."},
    {"role": "user", "content": "Two."},
    {"role": "assistant", "content": "A."},
    {"role": "assistant", "content": "B."},
    {"role": "user", "content": "Three."},
]


@pytest.mark.parametrize("dialect", ["anthropic", "openai", "gemini"])
async def test_alternate(tmp_path, dialect):
    """A-057: neighbours of one role are one message, and the user speaks first."""
    async with fleet(tmp_path, rule=", adapt: [alternate]") as sidecar:
        reply = await sidecar.call({"model": f"m-{dialect}", "messages": MESSY})
        assert reply.status == 200, reply.body
        meaning = sidecar.provider(dialect).last.meaning
        assert meaning.system == "Be brief."
        roles = [role for role, _ in meaning.turns]
        assert roles == ["user", "assistant", "user", "assistant", "user"]
        assert meaning.turns[2:4] == [
            ("user", [("text", "One.\n\nTwo.")]),
            ("assistant", [("text", "A.\n\nB.")]),
        ]
        sidecar.check()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_system(tmp_path, dialect):
    """A-058: instructions move into the user's first message; here for one model only."""
    place = (
        f"m-{dialect}: {{provider: {dialect}, ",
        f"m-{dialect}: {{adapt: [no_system], provider: {dialect}, ",
    )
    async with fleet(tmp_path, replace=[place]) as sidecar:
        messages = [{"role": "system", "content": "Be brief."}, *HI]
        reply = await sidecar.call({"model": f"m-{dialect}", "messages": messages})
        assert reply.status == 200, reply.body
        meaning = sidecar.provider(dialect).last.meaning
        assert meaning.system == ""
        assert "".join(item[1] for _, items in meaning.turns for item in items).startswith(
            "Be brief."
        )
        sidecar.check()


async def test_reasoner(tmp_path):
    """A-056: earlier turns lose their thought; here for one provider."""
    replace = [("    dialect: openai\n", "    dialect: openai\n    adapt: [reasoner]\n")]
    messages = [
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "A.", "reasoning_content": "Hm."},
        {"role": "user", "content": "Two."},
        {"role": "user", "content": "Three."},
    ]
    async with fleet(tmp_path, replace=replace) as sidecar:
        reply = await sidecar.call({"model": "m-openai", "messages": messages, "stream": True})
        assert reply.status == 200, reply.body
        body = sidecar.provider("openai").last.body
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
        assert "Hm." not in str(body)
        sidecar.check()


async def test_several_answers(tmp_path):
    """n > 1 where the target has it, whole and streamed."""
    async with fleet(tmp_path) as sidecar:
        for sdk, dialect in (("openai-chat", "gemini"), ("genai", "openai"), ("groq", "openai")):
            for stream in (False, True):
                sidecar.provider(dialect).script(Saying(n=2))
                ask = Ask((User("Twice."),), n=2)
                heard = await SDKS[sdk](Door(sidecar.url), f"m-{dialect}", ask, stream=stream)
                assert sidecar.provider(dialect).last.meaning.n == 2
                assert (heard.alternatives, heard.text) == (2, Saying().texts[0]), (sdk, stream)
        sidecar.check()
