"""PostgreSQL refuses to run as root: as whom root runs it."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.local.errors import CannotRun

USER_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
# Another user may enter neither a checkout in root's own folder nor the programs in it without this capability; and
# PostgreSQL asks access(2), which heeds capabilities only with this security bit.
ENTER_EVERYWHERE = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup")
OTHER_USERS = ("postgres", "nobody")


@dataclass(frozen=True)
class Identity:
    """What stands before a command, and who must own its files; both empty for an ordinary user."""

    prefix: tuple[str, ...] = ()
    owner: str | None = None

    def give(self, path: Path) -> None:
        """Makes the owner the owner of a file or folder, where there is one."""
        if self.owner is not None:
            entry = pwd.getpwnam(self.owner)
            os.chown(path, entry.pw_uid, entry.pw_gid)


MYSELF = Identity()


def postgres_identity(program: Path) -> Identity:
    """For an ordinary user: itself. For root: a user namespace, in which it is not root but still owns its files.

    Where namespaces are forbidden (most containers): the user postgres or nobody, who may then enter every folder.
    CannotRun where `program` does not run in either way.
    """
    if os.geteuid() != 0:
        return MYSELF
    identities = [Identity(USER_NAMESPACE), *(_other_user(name) for name in OTHER_USERS if _exists(name))]
    for identity in identities:
        if shutil.which(identity.prefix[0]) and _runs([*identity.prefix, str(program), "--version"]):
            return identity
    raise CannotRun(
        "PostgreSQL refuses to run as root, and here root can neither make a user namespace nor become another user:"
        " run as an ordinary user, or set DATABASE_URL to a server that you have"
    )


def _other_user(name: str) -> Identity:
    entry = pwd.getpwnam(name)
    become = ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
    return Identity((*become, *ENTER_EVERYWHERE), name)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _runs(command: list[str]) -> bool:
    """Without complaint: PostgreSQL warns, and still says its version, where it cannot find itself."""
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0 and not done.stderr
