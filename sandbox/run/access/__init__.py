"""Who may speak to a server of the sandbox: the user's own programs, which hold its credentials, and no web page."""
