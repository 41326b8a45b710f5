import secrets
import socket

from app.local.errors import CannotRun

# Below the range from which systems give out local ports: a client that retries a stopped server on a port of that
# range can be given that very port and connect to itself.
LOWEST_PORT = 20_000
HIGHEST_PORT = 32_000


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port now; PermissionError for ports that only root may use."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def free_port() -> int:
    for _ in range(200):
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT)
        if is_free(port) and is_free(port, "0.0.0.0"):  # noqa: S104 - a probe: it never listens
            return port
    raise CannotRun(f"no free port from {LOWEST_PORT} to {HIGHEST_PORT}")
