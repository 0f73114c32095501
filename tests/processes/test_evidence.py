"""What a Python worker can say of its own end, whatever its exceptions are like."""

from kortana.processes.evidence import describe


class Mute(Exception):
    def __str__(self) -> str:
        raise LookupError("no words")


def test_an_exception_that_cannot_be_told_in_words_is_told_by_its_type() -> None:
    error = Mute()
    error.add_note("still a note")
    told = describe(error)
    assert told["type"].endswith("Mute") and told["notes"] == ["still a note"]
    assert told["message"] == "(LookupError in its own __str__)"
