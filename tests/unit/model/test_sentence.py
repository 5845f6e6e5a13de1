"""What a cloud says, as one short line."""

import pytest

from autoscale.model.sentence import one_line

PAGE = """<!DOCTYPE html>
<html lang=en><head><title>503 Service&nbsp;Unavailable</title><style>h1 {color: red}</style></head>
<body><h1>Error</h1><p>The server is not able to service your request.</body></html>"""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("none left.", "none left"),
        ("  two\n lines\twith \x1b[31mcolour ", "two lines with [31mcolour"),
        (PAGE, "503 Service Unavailable"),
        ("Unknown: " + PAGE, "Unknown: 503 Service Unavailable"),
        ("<html><body>no <b>healthy</b> upstream<script>var a = 1</script></body></html>", "no healthy upstream"),
        ("<html><h1>Bad Gateway</h1></html>", "Bad Gateway"),
        ("x is < 3 and > 1.", "x is < 3 and > 1"),
        ("word " * 100, "word " * 78 + "word..."),
        ("y" * 500, "y" * 397 + "..."),
        ("", ""),
    ],
)
def test_a_text_becomes_one_short_line(said: str, line: str) -> None:
    """Pages are told by their title, what is long is cut between words, nothing moves the cursor."""
    assert one_line(said) == line
