import http.client


def get(port: int, path: str, *, api_key: str | None = None, timeout_seconds: float = 5.0) -> tuple[int, str]:
    """Status and body of an answer of the local web process; 0 where it does not answer. Knows nothing of proxies."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
