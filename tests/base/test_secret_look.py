from __future__ import annotations

import pytest

from wattline.base.secret_look import looks_secret, names_secret


@pytest.mark.parametrize(
    "name",
    ["x-session-token", "x-goog-iap-jwt-assertion", "authorization", "x-api-key", "cookie", "x-auth", "api_key",
     "x-amz-security-token", "x-authorization-extra", "x-hub-signature-256", "x-client-secret", "x-vault-key"],
)  # fmt: skip
def test_names_of_credentials(name):
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "x-team",
        "user-agent",
        "x-author",
        "x-max-tokens",
        "x-session-id",
        "anthropic-beta",
        "x-monkey",
    ],
)
def test_other_names(name):
    assert not names_secret(name)


@pytest.mark.parametrize(
    "text",
    ["sk-live-0123456789", "sk-ant-api03-abcdef", "my sk_test_12345678", "gsk_abcdefgh", "AIzaSyA0123456789abc",
     "eyJhbGciOiJIUzI1NiJ9", "Bearer x", "0123456789abcdef0123456789abcdef", "ghp_abcdefghij", "hf_abcdefgh"],
)  # fmt: skip
def test_keys(text):
    assert looks_secret(text)


@pytest.mark.parametrize(
    "text",
    ["gpt-4o-mini", "claude-3-5-sonnet-20241022", "a/m1", "meta-llama/Llama-3.3-70B-Instruct-Turbo-Free", "red",
     "ft:gpt-3.5-turbo-0125:my-org:custom:8abcXYZ1", "/v1beta/models/gemini-2.5-pro:streamGenerateContent", "",
     "task-force-one", "nvidia/llama-3.1-nemotron-70b-instruct", "1234567890123456789012345", "risk-assessment"],
)  # fmt: skip
def test_other_texts(text):
    assert not looks_secret(text)
