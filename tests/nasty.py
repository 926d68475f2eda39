"""Text that a model, a file or another program may bring, and that must do no harm anywhere."""

NASTY = (
    "",
    " ",
    "\n",
    "[/",
    "[/]",
    "[bold]not bold[/bold]",
    "[@click=app.quit]x[/]",
    "[link=https://example.invalid]x[/link]",
    "\\[escaped\\]",
    "\x1b[31mred\x1b[0m",
    "\x1b]52;c;c3RvbGVu\x07",
    "\x1b[2J\x1b[H",
    "\x00",
    "before\x00after",
    "\x07\x08\x7f\x9b",
    "abc\u202egnp.exe",
    "\u2066isolated\u2069 \u200fright to left",
    "zero\u200bwidth\ufeff",
    "e\u0301 a\u0308 " + "z" + "\u0335" * 40,
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "漢字かな交じり文",
    "مرحبا بالعالم",
    "\ud800 lone surrogate",
    "\U0010ffff \ufffe",
    "\r\n[[events]]\r\nseq = 1",
    '"""\nschema = 2\n',
    "key = 'value' # comment",
    '{"type": "finished", "job": "j1"}',
    '{"type": "stop"}\n{"type": "stop"}',
    '["list", null, NaN]',
    "line one\nline two\u2028line three\u2029line four\x85line five",
    "tab\tand\vvertical\fform",
    "%s %d {0} {name} ${HOME} $(id) `id`",
    "<script>alert(1)</script> &lt;",
    "| a | b |\n|---|---|\n# heading\n```",
    "../../../etc/passwd",
    "; rm -rf / #",
    "x" * 20_000,
    "word " * 4_000,
    "\n" * 2_000,
)
"""Each of these may turn up as any text: a goal, a candidate, a reason, a name."""

STORABLE = tuple(text for text in NASTY if "\ud800" not in text)
"""Those that UTF-8 can carry: all but lone surrogates."""

SPOKEN = tuple(text for text in STORABLE if text.strip())
"""Those that say something, so that they can be a goal, a candidate or a reason."""
