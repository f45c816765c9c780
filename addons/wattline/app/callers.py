"""Who calls: accounts, keys, logins and what they are sealed with."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.app.ground import Ground
from wattline.base.ids import hash_secret
from wattline.engine.spending import Spending
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.directory import Directory
from wattline.service.accounts.master import MasterToken
from wattline.service.accounts.own_keys import OwnKeys
from wattline.service.accounts.sealing import Sealing
from wattline.service.accounts.sessions import Sessions
from wattline.service.accounts.token_secret import TokenSecret
from wattline.service.accounts.tokens import Lifetime, Tokens


@dataclass(frozen=True, slots=True, repr=False)
class Callers:
    """`master` is None where no master token is set."""

    master: MasterToken | None
    sealing: Sealing
    own_keys: OwnKeys
    directory: Directory
    token_secret: TokenSecret
    tokens: Tokens
    sessions: Sessions
    accounts: Accounts

    def issued(self, secret: str) -> bool:
        """A secret that nobody guessed."""
        master = self.master
        if master is not None and master.matches(secret):
            return True
        return self.sessions.issued(secret) or self.directory.issued(hash_secret(secret))


def make_callers(ground: Ground, spending: Spending) -> Callers:
    """Raises SettingsError for a secret that could be guessed."""
    ledger, clock, env = ground.ledger, ground.clock, ground.settings.env
    master = MasterToken.from_env(env)
    sealing = Sealing.from_env(env, ground.settings.state)  # one: each may draw the key of the file
    own_keys = OwnKeys(ledger.provider_keys, sealing, clock)
    directory = Directory(ledger.accounts, clock, own_keys.providers)
    ledger.provider_keys.changed = directory.refresh
    token_secret = _token_secret(ground)
    tokens = Tokens(token_secret, clock, Lifetime.from_env(env))
    for source in (own_keys.secrets, sealing.shown):
        ground.secrets.add(source)
    return Callers(
        master=master,
        sealing=sealing,
        own_keys=own_keys,
        directory=directory,
        token_secret=token_secret,
        tokens=tokens,
        sessions=Sessions(tokens, directory),
        accounts=Accounts(ledger.accounts, ledger, clock, ground.book, spending),
    )


def _token_secret(ground: Ground) -> TokenSecret:
    secret = TokenSecret(ground.settings.env, ground.settings.state)
    ground.secrets.add(secret.shown)
    if ground.book().auth.mode == "jwt":
        secret.need()
    return secret
