"""Headers that anybody may send, whatever is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.gateway.callers import (
    LABELS_HEADER,
    PRIORITY_HEADER,
    TIMEOUT_HEADER,
    Wishes,
    refuse_web_page,
    secret_of,
    wishes_of,
)


@given(st.text(), st.text(), st.text())
def test_whatever_is_sent_is_read_or_refused(labels: str, priority: str, timeout: str) -> None:
    headers = {LABELS_HEADER: labels, PRIORITY_HEADER: priority, TIMEOUT_HEADER: timeout}
    wishes = wishes_of(headers, key="alice")
    if isinstance(wishes, Wishes):
        assert wishes.labels["key"] == "alice"
        assert wishes.timeout_s is not None
        assert wishes.timeout_s > 0
    else:
        assert wishes.status == 400


@given(st.text(), st.text())
def test_a_label_that_is_read_is_the_one_that_was_sent(name: str, value: str) -> None:
    wishes = wishes_of({LABELS_HEADER: f"{name}={value}"}, key=None)
    if isinstance(wishes, Wishes):
        assert all(part in f"{name}={value}" for pair in wishes.labels.items() for part in pair)
        assert "key" not in wishes.labels


@given(st.text())
def test_no_host_or_origin_breaks_the_check_of_web_pages(text: str) -> None:
    for header in ("Host", "Origin"):
        refused = refuse_web_page({header: text})
        assert refused is None or refused.status == 403


@given(st.text())
def test_a_wrong_scheme_hides_a_right_secret(scheme: str) -> None:
    found = secret_of({"Authorization": f"{scheme} s", "x-api-key": "s"})
    assert found == "s" if scheme.lower() == "bearer" else found != "s" or " " in scheme
