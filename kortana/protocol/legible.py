"""What others have written, as people may be shown it: nothing in it moves the cursor, clears the screen, begins a line
that looks like one of ours, or turns the order of what follows. Imports next to nothing: `kortana agent` does."""

_LINE, _TAB = 0x0A, 0x09
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
"""C0, DEL and C1, in which a terminal may see orders; what else ends a line."""
_ORDERS_OF_WRITING = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
"""By which a text can look like another one. Source: Unicode's UAX 9, explicit directional formatting."""
_SHORT = {0x08: "\\b", _TAB: "\\t", _LINE: "\\n", 0x0C: "\\f", 0x0D: "\\r"}
_ESCAPED = {code: _SHORT.get(code, f"\\u{code:04x}") for code in (*_CONTROLS, *_ORDERS_OF_WRITING)}
_BUT_LINES = {code: text for code, text in _ESCAPED.items() if code not in (_LINE, _TAB)}


def legible(text: str) -> str:
    """On one line; what is escaped looks as in JSON."""
    return text.translate(_ESCAPED)


def legible_lines(text: str, indent: str = "") -> str:
    """On as many lines as it has, of which all but the first begin with `indent`."""
    return text.translate(_BUT_LINES).replace("\n", "\n" + indent)
