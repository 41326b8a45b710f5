"""Signatures, as the documentation and Standard Webhooks have them; and what is encrypted at rest."""

import base64
import json
import shutil
import subprocess
import time

import pytest

from app.core.errors import SealBroken
from app.core.news.sealing import ADDRESS, SECRET, open_sealed, seal, sealing_key
from app.core.news.signing import new_secret, signed_headers
from tests.receivers import documented, is_genuine

KEY = sealing_key("s" * 32)


def test_it_signs_as_the_standard_does():
    # the example of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_random_and_of_the_standards_length():
    secret = new_secret()
    assert secret != new_secret()
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64


def verified_in_javascript(secret: str, headers: dict[str, str], body: bytes) -> bool:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js found")
    call = f"{json.dumps(secret)}, {json.dumps(headers)}, Buffer.from({json.dumps(body.decode())})"
    code = f"{documented('javascript')}\nconsole.log(isGenuine({call}))"
    done = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "true"


@pytest.mark.parametrize("verify", [is_genuine, verified_in_javascript])
def test_the_documented_code_takes_what_is_genuine_and_nothing_else(verify):
    old, new, body = new_secret(), new_secret(), '{"text": "ä"}'.encode()
    headers = signed_headers("msg_1", int(time.time()), body, [new, old])
    assert verify(new, headers, body)
    assert verify(old, headers, body), "both hold while a secret is replaced"
    assert not verify(new_secret(), headers, body)
    assert not verify(new, headers, body + b" ")
    assert not verify(new, {**headers, "webhook-id": "msg_2"}, body)
    old_headers = signed_headers("msg_1", int(time.time()) - 600, body, [new])
    assert not verify(new, old_headers, body)


def test_what_is_sealed_can_be_read_again_with_the_same_key_only():
    sealed = seal(KEY, "whsec_x", purpose=SECRET, project_id=1)
    assert b"whsec_x" not in sealed
    assert open_sealed(KEY, sealed, purpose=SECRET, project_id=1) == "whsec_x"
    assert sealed != seal(KEY, "whsec_x", purpose=SECRET, project_id=1)
    for key, text, purpose, project_id in (
        (sealing_key("t" * 32), sealed, SECRET, 1),
        (KEY, sealed, ADDRESS, 1),
        (KEY, sealed, SECRET, 2),
        (KEY, sealed[:-1], SECRET, 1),
        (KEY, b"", SECRET, 1),
    ):
        with pytest.raises(SealBroken, match="SECRET_KEY"):
            open_sealed(key, text, purpose=purpose, project_id=project_id)
