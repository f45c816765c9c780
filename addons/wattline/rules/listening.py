"""What a changed `listen` means for a sidecar that listens already."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.rules.compiled.entrance import Listen


@dataclass(slots=True)
class ListenWatch:
    """Compares what the file says with what it said before, never with the address in force: port 0 and
    `--port` make those differ from the start. `host` and `port` are what overrules the file; `fixed`
    says that nothing of `listen` counts at all.
    """

    began: Listen
    """What the file said at the start."""
    host: str | None = None
    port: int | None = None
    fixed: bool = False
    said: Listen | None = None
    """What the file said when it was last looked at; None: as at the start."""

    def changed(self, written: Listen) -> str | None:
        """What to warn of now that the file says `written`; None when there is nothing new to tell."""
        before = self.said or self.began
        self.said = written
        if written in {before, self.began}:
            return None
        if self.fixed or self._asked(written) == self._asked(self.began):
            return (
                "the changed `listen` has no effect: other settings say where this sidecar listens"
            )
        asked = self._asked(written)
        host = f"[{asked.host}]" if ":" in asked.host else asked.host
        return f"the changed `listen` takes effect at the next start: then {host}:{asked.port}"

    def _asked(self, written: Listen) -> Listen:
        return Listen(self.host or written.host, written.port if self.port is None else self.port)
