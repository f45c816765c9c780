"""Pages of a gateway's accounts: logins, users' own keys for providers, health, the audit trail."""
