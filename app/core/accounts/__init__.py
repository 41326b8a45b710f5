"""People: users, passwords, sessions, sign-in links, and who belongs to which project."""
