"""SIGTERM reaches every process of a dyno at once: what web has in hand is answered, and it is gone in time.

That workers lose nothing by it stands in tests/chaos/test_whole_system.py.
"""

import http.client
import json

from tests.batches import EVENT, PATH
from tests.conftest import StartProcess
from tests.heroku import PLATFORM_SECONDS


def test_a_request_in_hand_is_answered(start: StartProcess, authorization: dict[str, str]) -> None:
    web = start("web")
    body = json.dumps(EVENT).encode()
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PLATFORM_SECONDS)
    connection.putrequest("POST", PATH)
    for name, value in {**authorization, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    # it asks for the body, so the request is in its hands
    interim = connection.sock.recv(1024)
    assert interim.startswith(b"HTTP/1.1 100 ")
    web.terminate_group()
    connection.send(body)
    assert connection.getresponse().status == 204
    connection.close()
    web.wait(PLATFORM_SECONDS)
    assert web.exit_code() == 0
