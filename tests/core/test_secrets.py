"""What is kept of a crash holds no secret: neither known values, nor what a name or a shape gives away."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kortana.core.secrets import _RULES, MASK, Masker

SECRETS = {
    "named": ("DB_PASSWORD=hunter22 ok", "DB_PASSWORD=*** ok"),
    "named, with more before and after": ("AWS_SECRET_ACCESS_KEY=wJalr/K7", "AWS_SECRET_ACCESS_KEY=***"),
    "named in JSON": ('{"api_key": "abcdef"}', '{"api_key": "***"}'),
    "in an address": ("postgres://me:hunter22@host/x", "postgres://me:***@host/x"),
    "bearer": ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer ***"),
    "sk": ("key sk-abcdefghijklmnop1234", "key ***"),
    "GitHub": ("ghp_abcdefghijklmnopqrst", "***"),
    "GitHub, fine-grained": ("github_pat_abcdefghijklmnopqrst", "***"),
    "Slack": ("xoxb-1234567890-abc", "***"),
    "AWS": ("AKIAABCDEFGHIJKLMNOP", "***"),
    "Google": ("AIzaabcdefghijklmnopqrstuvwxyz12345", "***"),
    "JWT": ("eyJabcdefgh.eyJabcdefgh.sig", "***"),
    "JWT, with more before": ("id-eyJabcdefgh.eyJabcdefgh.sig a-b.c", "id-*** a-b.c"),
    "PEM": ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "***"),
    "known": ("it says xyzzy-value here", "it says *** here"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_masked_alone_and_within_a_record(name: str) -> None:
    text, masked = SECRETS[name]
    masker = Masker(("xyzzy-value",))
    assert masker.text(text) == masked
    record = {"output": [{"text": text, "at": 1.5}], "n": 3, "none": None, "harmless": "no such thing"}
    assert masker.value(record) == {**record, "output": [{"text": masked, "at": 1.5}]}


@given(st.text(alphabet=st.sampled_from("apitokensecrdlvbg_-=:\"' /@.xyJAKIz0123456789"), max_size=80))
def test_the_hints_leave_no_rule_out(text: str) -> None:
    expected = text
    for _, pattern, stand_in in _RULES:
        expected = pattern.sub(stand_in, expected)
    assert Masker().text(text) == expected
    assert Masker().value([text]) == [expected]
    assert MASK not in text or MASK in expected


def test_no_rule_has_a_quantifier_that_python_3_11_2_gets_wrong() -> None:
    assert not [pattern.pattern for _, pattern, _ in _RULES if re.search(r"[*+?}]\+|\(\?>", pattern.pattern)]


HINTS = "token api :// bearer basic sk- ghp_ github_pat_ xox AKIA AIza eyJ -----BEGIN PRIVATE KEY"
LONG = 1 << 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        "a-",
        "a",
        "sk-a ",
        "x://y",
        "://",
        "eyJaaaaaaaa.",
        "eyJaaaaaaaa-",
        "token ",
        "token",
        "token=",
        "secret-",
        "bearer ",
    ],
)
def test_the_time_for_a_text_grows_no_faster_than_its_length(unit: str) -> None:
    """A quadratic rule would take hours."""
    text = HINTS + unit * (LONG // len(unit)) + HINTS
    assert len(Masker().text(text)) <= len(text)


def test_no_line_of_a_secret_of_several_lines_is_kept() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n  hkiG9w0BAQEFAASC\nabc=\n-----END KEY-----\n"
    masker = Masker((key,))
    lines = ["loading MIIEvQIBADANBgkq", "hkiG9w0BAQEFAASC", "abc= is short", "all of it: " + key]
    assert masker.value(lines) == [f"loading {MASK}", MASK, "abc= is short", f"all of it: {MASK}"]
