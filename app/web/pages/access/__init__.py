"""Who may see a page: guards, session cookie, tokens against forged forms."""
