from __future__ import annotations

import pytest

from wattline.base import settings as module
from wattline.base.settings import SettingsError, read_settings


@pytest.fixture(autouse=True)
def installed(monkeypatch, tmp_path):
    """Not in a checkout, which has a state folder of its own."""
    monkeypatch.setattr(module, "CHECKOUT", tmp_path / "none")


def state(env, cwd):
    return read_settings(env, cwd=cwd).state


def test_the_state_folder_is_named_or_in_the_users_home(tmp_path):
    home = {"HOME": "/home/ann"}
    assert str(state({"WATTLINE_STATE": "/s", **home}, tmp_path)) == "/s"
    assert str(state(home, tmp_path)) == "/home/ann/.local/state/wattline"
    assert str(state({"XDG_STATE_HOME": "/x", **home}, tmp_path)) == "/x/wattline"


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_what_is_empty_counts_as_not_set_and_never_leads_to_the_working_folder(tmp_path, empty):
    env = {"WATTLINE_STATE": empty, "XDG_STATE_HOME": empty, "HOME": "/home/ann"}
    assert str(state(env, tmp_path)) == "/home/ann/.local/state/wattline"
    assert read_settings({"WATTLINE_RULES": empty, **env}, cwd=tmp_path).rules is None


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_without_a_home_the_users_own_is_taken_else_it_is_told(tmp_path, home, monkeypatch):
    env = {} if home is None else {"HOME": home}
    found = state(env, tmp_path)
    assert found.is_absolute()
    assert not found.is_relative_to(tmp_path)

    def unknown(_):
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(SettingsError, match="name one with --state"):
        state(env, tmp_path)


def test_a_relative_xdg_folder_is_not_taken(tmp_path):
    env = {"XDG_STATE_HOME": "here", "HOME": "/home/ann"}
    assert str(state(env, tmp_path)) == "/home/ann/.local/state/wattline"


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({}, (None, None)),
        ({"PORT": "3000", "HOST": "0.0.0.0"}, ("0.0.0.0", 3000)),
        ({"PORT": "3000", "WATTLINE_PORT": "9000", "WATTLINE_HOST": "::1"}, ("::1", 9000)),
        ({"PORT": "", "HOST": ""}, (None, None)),
        ({"PORT": "0"}, (None, 0)),
    ],
)
def test_where_it_listens(tmp_path, env, found):
    """B-110, A-160, D-021, D-022, decision 15: `PORT` and `HOST` count; else rules.yaml decides."""
    settings = read_settings(env, cwd=tmp_path)
    assert (settings.host, settings.port) == found
    settings = read_settings(env, cwd=tmp_path, host="127.0.0.9", port=7)
    assert (settings.host, settings.port) == ("127.0.0.9", 7)


@pytest.mark.parametrize("port", ["x", "-1", "65536", "٣", "1.5", "80 80"])
def test_what_is_no_port(tmp_path, port):
    with pytest.raises(SettingsError, match="PORT"):
        read_settings({"PORT": port}, cwd=tmp_path)
