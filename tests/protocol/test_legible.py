"""What others have written gives no orders to a terminal, and looks like nothing that it is not."""

import unicodedata

import pytest

from kortana.protocol.legible import legible, legible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x9b31m\x07", "\\u001b[2J\\u009b31m\\u0007"),
        ("done\nkortana | all is well\r", "done\\nkortana | all is well\\r"),
        ("user\u202etxt.exe\u2066", "user\\u202etxt.exe\\u2066"),
        ("\u2028\u0085", "\\u2028\\u0085"),
        *((text, text) for text in ("漢字, ünï,\u3000", "\U0001f469\u200d\U0001f4bb", "a\\n")),
    ],
)
def test_what_gives_orders_is_escaped_and_what_is_text_stays(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_no_control_sign_is_left() -> None:
    everything = "".join(map(chr, range(0x3000)))
    assert not [sign for sign in legible(everything) if unicodedata.category(sign) in ("Cc", "Zl", "Zp")]
    left = {unicodedata.bidirectional(sign) for sign in legible(everything)}
    assert not left & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_a_text_of_several_lines_keeps_them_and_none_of_them_begins_like_ours() -> None:
    assert legible_lines("a\tb\nstatus completed\x1b", "  ") == "a\tb\n  status completed\\u001b"
