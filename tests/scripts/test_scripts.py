"""The shell front doors, on copies of this repository.

Most tests put a pretended Python before them that only notes what it was asked to do; the slow ones
install for real.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("python", "install", "run", "test", "token-gen")
NAMES = ("python3.14", "python3.13", "python3.12", "python3")

PRETENDED = """\
#!/bin/sh
# A pretended Python. Notes its arguments; makes a copy of itself for `-m venv`.
printf '%s\\n' "$*" >>"$LOG"
case "$*" in
*ensurepip*) printf '%s\\n' "$0" ;;
*base_prefix*) printf '3.13.1 in /opt/python\\n' ;;
*'-m venv'*)
    for venv; do :; done
    rm -rf "$venv"
    mkdir -p "$venv/bin"
    cp "$0" "$venv/bin/python" ;;
*'-m pip --version'*) [ -z "${BROKEN_PIP:-}" ] ;;
*'-m pip install'*)
    [ -z "${KILL_PIP:-}" ] || kill -9 $PPID
    [ -z "${FAIL_PIP:-}" ] ;;
*) printf 'SERVED %s rules=%s state=%s\\n' "$*" "$WATTLINE_RULES" "$WATTLINE_STATE" ;;
esac
"""

type Script = Callable[..., subprocess.CompletedProcess[str]]


class Copy:
    """A copy of the scripts in a folder whose name has a space, with a pretended Python."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a copy"
        (self.root / "scripts").mkdir(parents=True)
        for name in SCRIPTS:
            shutil.copy(ROOT / "scripts" / name, self.root / "scripts" / name)
        (self.root / "pyproject.toml").write_text("[project]\n")
        (self.root / "constraints.txt").write_text("a==1\n")
        self.log = folder / "log"
        self.bin = folder / "bin"
        self.bin.mkdir()
        executable(self.bin / "python3.13", PRETENDED)
        (self.root / "rules.yaml").touch()
        self.env = {"PATH": f"{self.bin}:{os.defpath}", "LOG": str(self.log), "HOME": str(folder)}

    def run(
        self,
        name: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / "scripts" / name), *arguments],
            env={**self.env, **(env or {})},
            cwd=cwd or self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def asked(self, what: str) -> int:
        """How often Python was asked to do that."""
        return self.log.read_text().count(what) if self.log.exists() else 0


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def reporting(version: str) -> str:
    """A program that answers the finder's probe as a Python of that version would."""
    return textwrap.dedent(f"""\
        #!/bin/sh
        exec "{sys.executable}" -c 'import sys; sys.version_info = ({version}); exec(sys.argv[1])' "$2"
        """)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def find_python(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the finder with only the programs in tmp_path/bin and the system's tools on the PATH."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "head", "sort", "grep", "cat", "dirname"):
        target = shutil.which(name, path=os.defpath)
        assert target is not None
        if not (tools / name).exists():
            (tools / name).symlink_to(target)
    return subprocess.run(
        [str(ROOT / "scripts" / "python")],
        env={"PATH": f"{tmp_path / 'bin'}:{tools}", "HOME": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def put(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / "bin").mkdir(exist_ok=True)
    return executable(tmp_path / "bin" / name, text)


def pretend(path: Path) -> str:
    """A program that passes the probe and gives `path` as its own."""
    return f"#!/bin/sh\necho '{path}'\n"


@pytest.mark.parametrize("name", [*SCRIPTS])
def test_scripts_are_executable_posix_shell(name: str) -> None:
    script = ROOT / "scripts" / name

    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text().startswith("#!/bin/sh\n")
    for shell in ("sh", "dash", "bash"):
        if path := shutil.which(shell):
            subprocess.run([path, "-n", str(script)], check=True)


def test_ci_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & stat.S_IXUSR
    assert "scripts/test" in script.read_text()


class TestPython:
    def test_the_first_fit_one_on_the_path(self, tmp_path: Path) -> None:
        put(tmp_path, "python3.14", "#!/bin/sh\necho no such version >&2\nexit 127\n")
        found = put(tmp_path, "python3.13", "")
        executable(found, pretend(found))
        put(tmp_path, "python3", pretend(tmp_path))

        assert find_python(tmp_path).stdout == f"{found}\n"

    def test_a_real_python_is_found_by_its_real_path(self, tmp_path: Path) -> None:
        put(tmp_path, "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')

        assert find_python(tmp_path).stdout == f"{sys.executable}\n"

    def test_pyenvs_newest_one_when_the_path_has_none(self, tmp_path: Path) -> None:
        for version in ("3.9.18", "3.12.1", "3.12.10", "3.13.0", "3.14.0rc1", "nonsense"):
            folder = tmp_path / ".pyenv" / "versions" / version / "bin"
            folder.mkdir(parents=True)
            executable(folder / "python", pretend(folder / "python"))
        newest = tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python"

        assert find_python(tmp_path).stdout == f"{newest}\n"

        newest.write_text("#!/bin/sh\nexit 1\n")
        next_one = tmp_path / ".pyenv" / "versions" / "3.12.10" / "bin" / "python"
        assert find_python(tmp_path).stdout == f"{next_one}\n"

    def test_pyenv_root_with_a_space(self, tmp_path: Path) -> None:
        folder = tmp_path / "my pyenv" / "versions" / "3.12.3" / "bin"
        folder.mkdir(parents=True)
        executable(folder / "python", pretend(folder / "python"))

        found = find_python(tmp_path, PYENV_ROOT=str(tmp_path / "my pyenv"), HOME="")

        assert found.stdout == f"{folder / 'python'}\n"

    def test_too_old_ones_are_told_with_their_version(self, tmp_path: Path) -> None:
        """A-003."""
        for name in NAMES:
            put(tmp_path, name, reporting("3, 11, 7"))

        found = find_python(tmp_path)

        assert found.returncode == 1
        assert found.stdout == ""
        assert found.stderr.count("is Python 3.11.7, older than 3.12") == len(NAMES)
        assert "apt install" in found.stderr

    def test_one_without_venv_is_told_so(self, tmp_path: Path) -> None:
        put(
            tmp_path,
            "python3",
            f'#!/bin/sh\nexec "{sys.executable}" -c \'import sys; sys.modules["ensurepip"] = None; '
            'exec(sys.argv[1])\' "$2"\n',
        )

        found = find_python(tmp_path)

        assert found.returncode == 1
        assert "python3: has no module ensurepip" in found.stderr
        assert "python3.13: not on the PATH" in found.stderr

    def test_nothing_at_all(self, tmp_path: Path) -> None:
        found = find_python(tmp_path)

        assert found.returncode == 1
        assert found.stderr.count("not on the PATH") == len(NAMES)

    @pytest.mark.parametrize("home", [{"HOME": ""}, {}])
    def test_no_home(self, tmp_path: Path, home: dict[str, str]) -> None:
        assert "No Python 3.12" in find_python(tmp_path, **home).stderr

    def test_the_named_one_and_no_other(self, tmp_path: Path) -> None:
        put(tmp_path, "python3", pretend(tmp_path))

        assert find_python(tmp_path, PYTHON=sys.executable).stdout == f"{sys.executable}\n"
        refused = find_python(tmp_path, PYTHON="/none/python")
        assert refused.returncode == 1
        assert "PYTHON is set" in refused.stderr
        assert "/none/python" in refused.stderr

    def test_one_that_says_yes_but_names_no_program(self, tmp_path: Path) -> None:
        put(tmp_path, "python3", "#!/bin/sh\necho yes\n")

        assert find_python(tmp_path).returncode == 1


class TestRun:
    def test_a_checkout_without_rules_blames_no_variable(self, copy: Copy) -> None:
        (copy.root / "rules.yaml").unlink()
        done = copy.run("run", "--port", "0", env={"WATTLINE_RULES": ""})
        told = f"serve --rules {copy.root}/rules.yaml --port 0 rules= state={copy.root}/state"
        assert told in done.stdout, done.stderr

    def test_the_first_start_installs_and_serves(self, copy: Copy) -> None:
        done = copy.run("run", "--port", "0")

        assert done.returncode == 0
        assert done.stdout == (
            f"SERVED -P -m wattline serve --port 0 "
            f"rules={copy.root}/rules.yaml state={copy.root}/state\n"
        )
        assert copy.asked("-m venv") == 1
        assert f"--constraint {copy.root}/constraints.txt --editable {copy.root}" in (
            copy.log.read_text()
        )
        assert len(done.stderr.splitlines()) == 2

    def test_the_second_start_installs_nothing(self, copy: Copy) -> None:
        copy.run("run")

        done = copy.run("run")

        assert done.stderr == ""
        assert copy.asked("-m venv") == copy.asked("pip install") == 1
        assert copy.asked("-m wattline serve") == 2

    def test_from_any_folder_with_the_callers_own_settings(
        self, copy: Copy, tmp_path: Path
    ) -> None:
        env = {"WATTLINE_RULES": "mine.yaml", "WATTLINE_STATE": "/elsewhere"}

        done = copy.run("run", env=env, cwd=tmp_path)

        assert done.stdout.endswith("rules=mine.yaml state=/elsewhere\n")

    @pytest.mark.parametrize("file", ["constraints.txt", "pyproject.toml"])
    def test_changed_dependencies_are_installed(self, copy: Copy, file: str) -> None:
        copy.run("run")
        with (copy.root / file).open("a") as opened:
            opened.write("# changed\n")

        copy.run("run")

        assert copy.asked("pip install") == 2
        assert copy.asked("-m venv") == 1

    def test_an_interrupted_install_starts_anew(self, copy: Copy) -> None:
        killed = copy.run("run", env={"KILL_PIP": "1"})
        assert killed.returncode != 0
        assert "SERVED" not in killed.stdout

        done = copy.run("run")

        assert "SERVED" in done.stdout
        assert copy.asked("-m venv") == 2

    def test_a_failed_install_does_not_serve(self, copy: Copy) -> None:
        assert copy.run("run", env={"FAIL_PIP": "1"}).returncode != 0
        assert copy.asked("-m wattline serve") == 0

        assert "SERVED" in copy.run("run").stdout

    def test_a_removed_python_is_replaced(self, copy: Copy) -> None:
        copy.run("run")
        python = copy.root / ".venv" / "bin" / "python"
        python.unlink()
        python.symlink_to("/none/python3.13")

        assert "SERVED" in copy.run("run").stdout
        assert copy.asked("-m venv") == 2

    def test_a_moved_copy_is_installed_anew(self, copy: Copy, tmp_path: Path) -> None:
        copy.run("run")
        copy.root = copy.root.rename(tmp_path / "moved")

        assert f"state={copy.root}/state" in copy.run("run").stdout
        assert copy.asked("-m venv") == 2

    def test_another_python_than_that_of_the_environment_is_told(self, copy: Copy) -> None:
        copy.run("run")
        other = executable(copy.bin / "other", PRETENDED.replace("3.13.1", "3.14.0"))

        done = copy.run("run", env={"PYTHON": str(other)})

        assert "SERVED" in done.stdout
        assert copy.asked("-m venv") == copy.asked("pip install") == 1
        first, second = done.stderr.splitlines()
        assert first == (
            f"wattline: PYTHON is {other} (Python 3.14.0 in /opt/python), but {copy.root}/.venv was made with "
            "Python 3.13.1 in /opt/python, which is used."
        )
        assert second.endswith(f"rm -r '{copy.root}/.venv', then start again")

    def test_one_that_cannot_run_wattline_is_told(self, copy: Copy) -> None:
        copy.run("run")

        done = copy.run("run", env={"PYTHON": "/none/python"})

        assert "SERVED" in done.stdout
        assert "PYTHON is set, but it cannot run wattline:\n  /none/python: " in done.stderr
        assert f"{copy.root}/.venv is used, which was made with Python 3.13.1" in done.stderr
        assert "rm -r" not in done.stderr

    def test_the_environments_own_python_is_not_told(self, copy: Copy) -> None:
        copy.run("run")

        for python in ("python3.13", str(copy.root / ".venv" / "bin" / "python")):
            assert copy.run("run", env={"PYTHON": python}).stderr == ""

    def test_it_is_told_too_where_dependencies_are_renewed(self, copy: Copy) -> None:
        copy.run("run")
        other = executable(copy.bin / "other", PRETENDED.replace("3.13.1", "3.14.0"))
        (copy.root / "constraints.txt").write_text("a==2\n")

        done = copy.run("run", env={"PYTHON": str(other)})

        assert done.stderr.count("PYTHON is") == 1
        assert copy.asked("pip install") == 2

    def test_an_environment_made_anew_is_made_with_it(self, copy: Copy) -> None:
        copy.run("run")
        other = executable(copy.bin / "other", PRETENDED.replace("3.13.1", "3.14.0"))
        shutil.rmtree(copy.root / ".venv")

        assert "PYTHON is" not in copy.run("run", env={"PYTHON": str(other)}).stderr
        assert "3.14.0" in (copy.root / ".venv" / "bin" / "python").read_text()

    def test_an_environment_made_by_hand_is_kept(self, copy: Copy) -> None:
        own = copy.root / ".venv" / "bin"
        own.mkdir(parents=True)
        executable(own / "python", PRETENDED)
        (own / "keep").touch()

        assert "SERVED" in copy.run("run").stdout
        assert (own / "keep").exists()
        assert copy.asked("pip install") == 1

    def test_an_environment_without_pip_is_made_anew(self, copy: Copy) -> None:
        own = copy.root / ".venv" / "bin"
        own.mkdir(parents=True)
        executable(own / "python", "#!/bin/sh\nexit 1\n")

        assert "SERVED" in copy.run("run").stdout

    @pytest.mark.parametrize("home", [None, ""])
    def test_without_a_home(self, copy: Copy, home: str | None) -> None:
        if home is None:
            del copy.env["HOME"]
        else:
            copy.env["HOME"] = home

        assert "SERVED" in copy.run("run").stdout

    def test_no_python_at_all_says_so_and_ends(self, copy: Copy) -> None:
        (copy.bin / "python3.13").unlink()
        executable(copy.bin / "python3", reporting("3, 8, 1"))

        done = copy.run("run", env={"PYTHON": str(copy.bin / "python3")})

        assert done.returncode != 0
        assert "is Python 3.8.1, older than 3.12" in done.stderr
        assert not (copy.root / ".venv").exists()

    def test_serves_exit_code_is_the_scripts(self, copy: Copy) -> None:
        copy.run("run")
        executable(copy.root / ".venv" / "bin" / "python", "#!/bin/sh\nexit 7\n")

        assert copy.run("run").returncode == 7


class TestTokenGen:
    def test_it_hands_everything_to_the_command(self, copy: Copy) -> None:
        """A-135: words of installing don't get between the key and who reads it."""
        done = copy.run("token-gen", "--type", "user", "--userName", "john", "--token", "5000")

        assert done.returncode == 0
        assert done.stdout == (
            "SERVED -P -m wattline keys create --type user --userName john --token 5000 "
            f"rules={copy.root}/rules.yaml state={copy.root}/state\n"
        )
        assert done.stderr


class TestTest:
    @pytest.fixture
    def ready(self, copy: Copy) -> Copy:
        copy.run("install", "dev")
        for tool in ("ruff", "mypy", "lint-imports", "pytest"):
            executable(
                copy.root / ".venv" / "bin" / tool,
                f'#!/bin/sh\nfor a; do printf "[%s]" "$a"; done\necho " {tool}"\n'
                f'[ "${{FAILING:-}}" != {tool} ]\n',
            )
        return copy

    def test_all_checks_run(self, ready: Copy) -> None:
        done = ready.run("test")

        assert done.returncode == 0
        for line in (
            "[format][--check][.] ruff",
            "[check][.] ruff",
            " mypy",
            "[scripts/bench.d] mypy",
            " lint-imports",
        ):
            assert line in done.stdout
        assert "[-q][-n][2][--dist][worksteal][-m][] pytest" in done.stdout
        assert done.stdout.count("  ok      ") == 6

    def test_dev_is_installed_once_and_serves_run_too(self, ready: Copy) -> None:
        ready.run("test")
        ready.run("run")

        assert ready.asked("pip install") == 1
        assert f"--editable {ready.root}[dev]" in ready.log.read_text()

    def test_fast_leaves_slow_tests_out_and_passes_arguments(self, ready: Copy) -> None:
        done = ready.run("test", "fast", "tests/cli", "-k", "a b")

        assert (
            "[-q][-n][2][--dist][worksteal][-m][not slow][tests/cli][-k][a b] pytest" in done.stdout
        )

    @pytest.mark.parametrize("tool", ["ruff", "mypy", "lint-imports", "pytest"])
    def test_one_failure_fails_all_but_stops_nothing(self, ready: Copy, tool: str) -> None:
        done = ready.run("test", env={"FAILING": tool})

        assert done.returncode == 1
        assert "  FAILED  " in done.stdout
        assert " pytest" in done.stdout


@pytest.mark.parametrize("name", ["run", "test", "install", "bench"])
@pytest.mark.parametrize("links_are", ["absolute", "relative"])
def test_a_link_from_elsewhere_leads_to_the_checkout(
    copy: Copy, tmp_path: Path, name: str, links_are: str
) -> None:
    """Through a second link and from another folder; without `readlink -f`, which macOS had not."""
    shutil.copy(ROOT / "scripts" / "bench", copy.root / "scripts" / "bench")
    relative = links_are == "relative"
    links = tmp_path / "my bin"
    links.mkdir()
    target = copy.root / "scripts" / name
    (links / "first").symlink_to(os.path.relpath(target, links) if relative else target)
    (links / "second").symlink_to("first" if relative else links / "first")
    copy.run("install", "dev")
    for tool in ("ruff", "mypy", "lint-imports", "pytest"):
        executable(copy.root / ".venv" / "bin" / tool, "#!/bin/sh\nexit 0\n")

    done = subprocess.run(
        [str(links / "second")],
        env=copy.env,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    if name == "run":
        assert f"rules={copy.root}/rules.yaml state={copy.root}/state" in done.stdout
    if name == "bench":
        assert f"{copy.root}/scripts/bench.d/main.py" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_fresh_copy_installs_and_answers(tmp_path: Path) -> None:
    """A newcomer's first command, for real: from another folder, without a HOME."""
    root = tmp_path / "fresh copy"
    wanted = ("addons", "scripts", "pyproject.toml", "constraints.txt", "rules.yaml", "README.md")
    root.mkdir()
    for name in (*wanted, "LICENSE"):
        source = ROOT / name
        copying = shutil.copytree if source.is_dir() else shutil.copy
        copying(source, root / name)
    env = {name: value for name, value in os.environ.items() if not name.startswith("WATTLINE_")}
    env["HOME"] = ""
    command = [str(root / "scripts" / "run"), "--help"]

    first = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=500
    )
    assert first.returncode == 0, first.stderr
    assert "Run the sidecar" in first.stdout

    second = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=20
    )
    assert second.returncode == 0
    assert second.stderr == ""
