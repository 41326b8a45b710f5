"""A server that stands in for the service, where a test wants answers that the real one gives in trouble only."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answer = tuple[int, str | None]


class StandIn:
    """Gives one answer after the other, and remembers what it was asked."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []
        self.url = ""

    @contextmanager
    def running(self) -> Iterator["StandIn"]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.asked.append((self.headers["Idempotency-Key"], len(body["events"])))
                status, retry_after = service.answers.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if retry_after:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            self.url = f"http://127.0.0.1:{server.server_port}"
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()
