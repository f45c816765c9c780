"""Random requests, made from the OpenAPI document, against a sidecar: no bug, no answer that it does not know."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kit.processes import READY_SECONDS, ROOT, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ADMIN = "key-of-the-admin-0123456789"
RULES = """
providers:
  demo: {url: "${WATTLINE_DEMO_URL}", demo: true, models: [{id: wattline-demo}]}
rules:
  - {name: all, try: [demo]}
"""
KEYS = """
auth:
  mode: keys
  keys: {root: {key: "${ROOT_KEY}", role: admin}}
"""
# For clients of one API each, with the same operations as the main paths.
ALIASES = (
    "/v2/", "/v3/", "/v4/", "/v5/", "/v6/", "/openai/v1/", "/v1alpha/", "/v1/models/{",
    "/v1/tunedModels/", "/v1beta/tunedModels/",
)  # fmt: skip
SPENT = ("/api/admin/keys",)
"""A bound for each address: after some requests all are refused."""


def _ready(base: str) -> bool:
    try:
        return requests.get(f"{base}/health/ready", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module", params=["open", "keys"])
def sidecar(request, tmp_path_factory):
    """The base URL of a sidecar, and the headers of its admin."""
    folder = tmp_path_factory.mktemp("conformance")
    (folder / "rules.yaml").write_text(RULES + (KEYS if request.param == "keys" else ""))
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "addons"),
        "WATTLINE_LOG_LEVEL": "warning",
        "ROOT_KEY": ADMIN,
        "DEMO_DELAY_MS": "0",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "wattline", "serve", "--rules", str(folder / "rules.yaml"),
             "--state", str(folder / "state"), "--port", str(port)],
            env=env, stdout=log, stderr=log,
        )  # fmt: skip
        base = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + READY_SECONDS
        while not _ready(base):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        try:
            yield base, {"authorization": f"Bearer {ADMIN}"} if request.param == "keys" else {}
        finally:
            process.terminate()
            process.wait(20)
    said = (folder / "log").read_text()
    assert "Traceback" not in said
    assert "[UNHANDLED" not in said


@pytest.fixture(scope="module")
def operations(sidecar):
    """Of the document, without aliases. With a key only those of pages: calls are the same."""
    base, headers = sidecar
    found = requests.get(f"{base}/openapi.json", headers=headers, timeout=20).json()
    found["paths"] = {
        path: item
        for path, item in found["paths"].items()
        if not path.startswith(ALIASES)
        and path not in SPENT
        and not (headers and any("4XX" in one["responses"] for one in item.values()))
    }
    schema = schemathesis.openapi.from_dict(found)
    return [one.ok() for one in schema.get_all_operations()]


def operation_is_fed(operation):
    """There is something in its requests that can be wrong."""
    places = {one.location for one in operation.iter_parameters()} - {ParameterLocation.PATH}
    return bool(places or len(operation.body))


def tried(operation, base, session, headers, mode, count):
    """Send `count` requests of an operation, and check each answer."""

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case):
        answer = case.call(base_url=base, session=session, headers=headers, timeout=20)
        case.validate_response(answer, checks=CHECKS)

    attempt()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_nothing_is_answered_that_the_document_does_not_know(sidecar, operations, mode):
    """No 500, no status and no content type that is not described."""
    base, headers = sidecar
    wrong = []
    with requests.Session() as session:
        for operation in operations:
            if mode is GenerationMode.NEGATIVE and not operation_is_fed(operation):
                continue
            try:
                tried(operation, base, session, headers, mode, 3)
            except Unsatisfiable:
                continue  # nothing of it can be made wrong
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  (all are told together)
                wrong.append(f"{operation.label}: {error!r}\n{error}"[:1500])
    assert not wrong, "\n\n".join(wrong)
