"""The documents name what there is: links, commands, files, pages and variables; and every page can be found."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kit.clients import REVERSE, call
from kit.sidecars import rules
from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings, read_settings
from wattline.cli.reference import reference
from wattline.dialects.table import find
from wattline.rules.load import load
from wattline.service.entrance.local_paths import local_path
from wattline.web.openapi.pages import health
from wattline.web.openapi.sockets import sockets

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md",
     ROOT / "state" / "README.md"]
)  # fmt: skip
TEXTS = {path: path.read_text() for path in PAGES}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_PAGE = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s?]*)")
_SCRIPT = re.compile(r"(?<![\w/.-])(?:scripts|docs|addons|tests)/[\w./-]*\w")


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found = set()
    for heading in _HEADING.findall(path.read_text()):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in _LINK.findall(TEXTS[path]):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_found() -> None:
    """From the README, on its own or through a page that it links."""
    linked = {"README.md"}
    for _ in PAGES:
        for path in PAGES:
            if path.name in linked:
                linked |= {Path(link.partition("#")[0]).name for link in _LINK.findall(TEXTS[path])}
    missing = [path.name for path in ROOT.glob("docs/*.md") if path.name not in linked]
    assert not missing


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    """`wattline WORD` in code; `wattline WORD WORD` where the first has commands of its own."""
    known = set(re.findall(r"^## wattline (.+)$", reference(), re.MULTILINE))
    groups = {name.partition(" ")[0] for name in known if " " in name}
    code = re.findall(r"```.*?```|`[^`\n]+`", TEXTS[path], re.DOTALL)
    for part in code:
        for first, second in re.findall(r"(?:^|[\s`/])wattline ([a-z]+)(?: ([a-z]+))?\b", part):
            if part.startswith("```") and "[Unit]" in part:
                continue
            assert first in known, (part[:80], first)
            if first in groups and second and first in {"keys", "users"}:
                assert f"{first} {second}" in known, part[:80]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_exist(path: Path) -> None:
    if path.name == "CHANGELOG.md":
        return  # what was once
    for name in _SCRIPT.findall(TEXTS[path]):
        assert (ROOT / name).exists() or list(ROOT.glob(f"{name}*")), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_served(path: Path) -> None:
    """`GET /path` in code is a page of ours or a call."""
    if path.name == "new-dialect.md":
        return  # it makes one up
    others = {str(one["path"]) for one in sockets()} | set(health())
    for method, page in _PAGE.findall(TEXTS[path]):
        if "…" in page or page in others:
            continue
        concrete = re.sub(r"\{[^}]*\}", "x", page).rstrip("/") or "/"
        found = local_path(concrete)
        served = found is not None and method in found[1].methods
        assert served or find(method, "", concrete, forward=False), (method, page)


class Noted(Mapping[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values, self.asked = dict(values), set[str]()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All that a sidecar asks its environment for, from the settings to its pages."""
    folder = tmp_path_factory.mktemp("asked")
    path = folder / "rules.yaml"
    path.write_text(rules(["http://127.0.0.1:1/v1"]))
    env = Noted({"KEY_0": "sk-of-nobody-0123456789", "HOME": str(folder)})

    async def work() -> None:
        read_settings(env, cwd=folder)
        settings = Settings(rules=path, state=folder / "state", host="127.0.0.1", port=0, env=env)
        async with Sidecar(settings) as sidecar:
            for page in ("/openapi.json", "/v1/models", "/metrics", "/health"):
                await call(sidecar.address, REVERSE, None, b"", path=page, method="GET")

    asyncio.run(work())
    return env.asked


def test_every_variable_is_documented(asked: set[str]) -> None:
    """By its whole name."""
    told = " ".join(TEXTS.values())
    known = {*_NAME.findall(told), *re.findall(r"`([A-Z]+)`", told)}
    own = {"KEY_0", "HOME", "WATTLINE_DEMO_URL"}  # the test's, the system's, one of our own making
    assert not sorted(asked - known - own)
    assert len(asked) > 40


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_variables_exist(path: Path, asked: set[str]) -> None:
    """Each name in the first column of a table of variables is somewhere in the code or in rules.yaml."""
    source = "\n".join(p.read_text() for p in ROOT.glob("addons/wattline/**/*.py"))
    source += (ROOT / "rules.yaml").read_text()
    for line in TEXTS[path].splitlines():
        cell = line.split("|")[1] if line.startswith("| `") else ""
        for name in re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", cell):
            assert name in asked or name in source, name


def test_the_image_of_a_container_is_of_this_sidecar() -> None:
    """E-131: its port is the one that is listened at, its volume the folder that is written to."""
    text = TEXTS[ROOT / "docs" / "operations.md"]
    (image,) = re.findall(r"```dockerfile\n(.*?)```", text, re.DOTALL)
    (variables,) = re.findall(r"^ENV (.+)$", image, re.MULTILINE)
    env = dict(pair.split("=", 1) for pair in variables.split())
    settings = read_settings({"WATTLINE_STATE": env["WATTLINE_STATE"]}, cwd=ROOT)
    book = load((ROOT / "rules.yaml").read_text(), env={})
    assert f"EXPOSE {book.listen.port}\n" in image
    assert f"VOLUME {settings.state}\n" in image
    assert f"WORKDIR {Path(env['WATTLINE_RULES']).parent}\nCOPY . .\n" in image
    known = set(re.findall(r"^## wattline (.+)$", reference(), re.MULTILINE))
    assert (
        set(re.findall(r'CMD \["wattline", "(\w+)"\]', image)) == {"healthcheck", "serve"} <= known
    )
