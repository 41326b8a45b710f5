"""PostgreSQL refuses to run as root: as whom root runs it."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.local.errors import CannotRun

USER_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@dataclass(frozen=True)
class Identity:
    """What stands before the command, or the user that a child becomes first; both empty for an ordinary user."""

    prefix: tuple[str, ...] = ()
    user: str | None = None

    @property
    def group(self) -> int | None:
        return None if self.user is None else pwd.getpwnam(self.user).pw_gid

    @property
    def extra_groups(self) -> list[int] | None:
        """None: leave them as they are."""
        return None if self.user is None else []

    def give(self, path: Path) -> None:
        """Makes the user the owner of a file or folder, where there is such a user."""
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)


MYSELF = Identity()


def postgres_identity(program: Path, folder: Path) -> Identity:
    """For an ordinary user: itself. For root: a user namespace, in which it is not root but still owns its files.

    Where namespaces are forbidden (most containers): the user postgres or nobody, who must be able to run `program`
    and to enter `folder`. CannotRun where that is impossible too.
    """
    if os.geteuid() != 0:
        return MYSELF
    if shutil.which("unshare") and _works([*USER_NAMESPACE, "true"]):
        return Identity(prefix=USER_NAMESPACE)
    user = next((name for name in ("postgres", "nobody") if _exists(name)), None)
    if user is not None and _works([str(program), "--version"], user) and _works(["test", "-x", str(folder)], user):
        return Identity(user=user)
    raise CannotRun(
        "PostgreSQL refuses to run as root, user namespaces are forbidden here, and no other user can enter"
        f" {folder}: run as an ordinary user, or set DATABASE_URL to a server that you have"
    )


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _works(command: list[str], user: str | None = None) -> bool:
    become = Identity(user=user)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            user=become.user,
            group=become.group,
            extra_groups=become.extra_groups,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
