"""Whether a text, or what a header's name says of it, looks like a credential. A guess, for what is shown or kept."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"token(?!s)|secret|passw|jwt|cookie|credential|assertion|api-?key|signature|auth(?!or(?!i[sz]))"
    r"|(?:^|[-_.])(?:key|sig|pin|otp)(?:$|[-_.])"
)
"""In lower case. `x-author` is none, `x-authorized` is one."""
_MARKED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:sk|pk|rk|gsk|csk|xai|hf|gh[oprsu]|github_pat|glpat|nvapi|pplx|r8|xox[abp])[-_]"
    r"[A-Za-z0-9_-]{6}|(?:AKIA|AIza|ya29\.|eyJ)[A-Za-z0-9_-]{12}|(?:[Bb]earer|[Bb]asic) +\S)"
)
"""What providers and others begin their keys with."""
_LONG = re.compile(r"[A-Za-z0-9]{24,}")
_DIGITS = 4


def names_secret(header: str) -> bool:
    """A header of this name (in lower case) most likely carries a credential."""
    return _NAME.search(header) is not None


def looks_secret(text: str) -> bool:
    """It holds what is most likely a key: a known beginning, or a long run of letters and digits."""
    if _MARKED.search(text) is not None:
        return True
    return any(
        sum(map(str.isdigit, run)) >= _DIGITS and not run.isdigit() for run in _LONG.findall(text)
    )
