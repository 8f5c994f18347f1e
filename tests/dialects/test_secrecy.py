"""No spelling of a secret survives into what people read."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bkjob_async.dialects.envelopes import failure
from bkjob_async.dialects.secrecy import redact, redacted, spellings
from bkjob_async.errors import NotAllowed
from bkjob_async.http_messages import HttpResponse

SECRET = 'p/w "q\\uote" +&=%ß'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        quote(SECRET, safe=""),
        b64encode(SECRET.encode()).decode(),
    ],
)
def test_every_spelling_is_hidden(spelling: str) -> None:
    """A secret is found raw, escaped, in a URL and in base64."""
    assert redact(f"before {spelling} after", [SECRET]) == "before *** after"


def test_a_secret_cut_in_the_middle_is_hidden() -> None:
    """A bounded message may end inside a secret."""
    assert redact("token is abcdefgh…", ["abcdefghijkl"]) == "token is ***"
    assert redact("it ends with abc", ["abcdefghijkl"]) == "it ends with abc"


def shown(echo: object, message: str, request_id: str, secrets: list[str]) -> str:
    """Return everything that people can see of an error."""
    body = {
        "result": False,
        "code": 9900403,
        "message": message,
        "permission": {"actions": [echo]},
        "request_id": request_id,
    }
    facts = redacted(failure(HttpResponse(status=200), body).facts, secrets)
    return f"{facts!r} {NotAllowed(facts)} {NotAllowed(facts)!r}"


@given(st.text(min_size=6, max_size=40), st.text(max_size=30), st.integers(0, 3))
def test_no_error_shows_a_secret(secret: str, noise: str, depth: int) -> None:
    """Wherever an answer echoes a secret, the error that people see does not."""
    one_line = "".join(letter for letter in " ".join(secret.split()) if letter.isprintable())
    # What stands in every error, and in the noise around the echo, is no secret.
    frame = shown(noise, noise, "r-1", []) + "***"
    assume(len(one_line) > 5 and not any(way in frame for way in (secret, one_line)))
    echo: object = noise + secret
    for _ in range(depth):
        echo = {"id": echo, secret: [echo]}

    seen = shown(echo, f"{noise}{secret}{noise}", secret, [secret])

    assert not [way for way in spellings(secret) if way in seen]
