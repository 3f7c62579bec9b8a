"""Who may ask, and with which broker logins: users, accounts, sessions, API keys, and the vault of their secrets."""
