from providers.recent import Recent


def test_old_news_are_not_believed_for_a_while() -> None:
    """A group that still shows what it showed before our change has what we asked for; after 30 s it is believed again."""
    now = [1_000]
    recent = Recent(now_s=lambda: now[0])
    assert (recent.target("g", 1), recent.knows("g")) == (1, False)
    recent.asked("g", 3, before=1)
    assert (recent.target("g", 1), recent.target("g", 5), recent.target("other", 1), recent.knows("g")) == (
        3,
        5,
        1,
        True,
    )
    now[0] += 30
    assert recent.target("g", 1) == 3
    now[0] += 1
    assert recent.target("g", 1) == 1
