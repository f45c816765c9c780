"""Pages of an assistant's gateway: tokens, dialogs, completions in them, referrals."""
