from __future__ import annotations

import pytest

from perfwright.core import ConfigError
from perfwright.llm import Api
from perfwright.llm.wire import Form, HttpTransport
from perfwright.llm.wire.addresses import headers_of, key_for, proxy_for, shown, url_of
from perfwright.llm.wire.heads import head_of, server_of


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://x.test", "http://x.test/v1/chat/completions"),
        ("http://x.test/", "http://x.test/v1/chat/completions"),
        ("http://x.test/v1", "http://x.test/v1/chat/completions"),
        ("http://x.test/v1/", "http://x.test/v1/chat/completions"),
        (" http://x.test:8080/v1\n", "http://x.test:8080/v1/chat/completions"),
        ("http://[::1]:8080", "http://[::1]:8080/v1/chat/completions"),
        ("https://x.test/api/v3", "https://x.test/api/v3/chat/completions"),
        ("https://x.test/v1/chat/completions", "https://x.test/v1/chat/completions"),
        (
            "https://r.openai.azure.com/openai/deployments/d?api-version=2026-01-01",
            "https://r.openai.azure.com/openai/deployments/d/chat/completions"
            "?api-version=2026-01-01",
        ),
    ],
)
def test_a_base_url_may_be_written_in_many_ways(base_url: str, url: str) -> None:
    assert url_of(base_url, api=Api.CHAT, form="openai") == url


def test_chat_goes_to_messages_on_an_anthropic_endpoint() -> None:
    found = url_of("https://api.anthropic.com", api=Api.CHAT, form="anthropic")
    assert found == "https://api.anthropic.com/v1/messages"


@pytest.mark.parametrize(
    ("base_url", "problem"),
    [
        ("x.test/v1", "no http:// or https://"),
        ("http://x.test:port/v1", "port"),
        ("http://x.test:99999/v1", "port"),
        ("http://x.test:0/v1", "port"),
        ("http://[::1/v1", "no http:// or https://"),
        ("http://bücher.test/v1", "xn--"),
        ("http://x.test/a b", "%XX"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(base_url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        url_of(base_url, api=Api.CHAT, form="openai")


def test_what_may_be_secret_is_not_shown() -> None:
    assert shown("https://user:pw@x.test/v1?sig=abc") == "https://x.test/v1"


# --- Keys -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "no_proxy", "NO_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-anthropic")


@pytest.mark.parametrize(
    ("base_url", "form", "key"),
    [
        ("https://api.openai.com/v1", "openai", "sk-openai"),
        ("https://api.anthropic.com", "anthropic", "sk-anthropic"),
        ("https://api.anthropic.com", "openai", None),
        ("http://127.0.0.1:8000/v1", "openai", None),
        ("https://api.openai.com.evil.test/v1", "openai", None),
    ],
)
def test_the_environments_key_goes_to_its_own_provider_only(
    base_url: str, form: Form, key: str | None
) -> None:
    assert key_for(base_url, form=form) == key


def test_the_environments_key_goes_where_the_environment_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://proxy.test/v1/")
    assert key_for("https://proxy.test/v1", form="openai") == "sk-openai"


def test_a_key_goes_where_its_form_wants_it() -> None:
    assert headers_of(" sk \n", form="openai")["authorization"] == "Bearer sk"
    anthropic = headers_of("sk", form="anthropic")
    assert (anthropic["x-api-key"], anthropic["anthropic-version"]) == ("sk", "2023-06-01")


def test_own_headers_go_above_ours_whatever_their_case() -> None:
    headers = headers_of("sk", form="openai", extra={"Authorization": "Basic x", "Api-Key": "k"})
    assert (headers["authorization"], headers["api-key"]) == ("Basic x", "k")


@pytest.mark.parametrize("name", ["a\r\nb", "", "a b", "Content-Length", "é"])
def test_a_header_that_would_break_the_request_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        headers_of(None, form="openai", extra={name: "x"})


# --- Proxies --------------------------------------------------------------------------------------


def test_the_environments_proxy_is_used_but_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("no_proxy", "inside.test")
    assert proxy_for("http://x.test/v1") == "http://proxy.test:3128"
    for base_url in ("http://127.0.0.1:8/v1", "http://localhost/v1", "http://a.inside.test/v1"):
        assert proxy_for(base_url) is None


def test_a_proxy_for_plain_http_is_told_the_whole_address() -> None:
    server = server_of("http://x.test/v1", proxy="http://me:p%20w@proxy.test:3128")
    head = head_of("http://x.test/v1/chat/completions", headers={}, server=server)
    assert head == (
        b"POST http://x.test/v1/chat/completions HTTP/1.1\r\nhost: x.test\r\n"
        b"proxy-authorization: Basic bWU6cCB3\r\ncontent-length: "
    )


def test_a_proxy_for_tls_is_told_nothing() -> None:
    server = server_of("https://x.test/v1", proxy="http://me:pw@proxy.test:3128")
    head = head_of("https://x.test/v1/chat/completions", headers={"a": "b"}, server=server)
    assert head == (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x.test\r\na: b\r\ncontent-length: "
    )


def test_a_proxy_that_is_not_spoken_to_is_refused() -> None:
    with pytest.raises(ConfigError, match="only proxies with an http:// address"):
        server_of("https://x.test", proxy="socks5://proxy.test:1080")


def test_the_proxy_for_everything_is_used_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all.test:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    assert proxy_for("https://x.test/v1") == "http://all.test:3128"
    assert proxy_for("http://x.test/v1") == "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("no_proxy", "base_url", "is_direct"),
    [
        ("x.test:81", "http://x.test:81/v1", True),
        ("x.test:81", "http://x.test:82/v1", False),
        ("x.test:80", "http://x.test/v1", True),
        ("a.test, 10.0.0.0/8", "http://10.255.0.1:8000/v1", True),
        ("10.0.0.0/8", "http://11.0.0.1/v1", False),
        ("10.0.0.0/8", "http://ten.test/v1", False),
        ("fd00::/8,nonsense/9", "http://[fd00::1]:8000/v1", True),
        ("fd00::1", "http://[fd00::1]:8000/v1", True),
        ("*", "http://x.test/v1", True),
    ],
)
def test_the_environment_says_who_is_reached_directly(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, base_url: str, is_direct: bool
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert (proxy_for(base_url) is None) is is_direct


def test_a_proxy_may_be_written_without_its_scheme() -> None:
    proxy = server_of("https://x.test", proxy="me:pw@proxy.test:3128").proxy
    assert proxy is not None
    assert (proxy.hostname, proxy.port, proxy.username) == ("proxy.test", 3128, "me")


@pytest.mark.parametrize(
    "proxy", ["http://proxy.test:99999", "http://proxy.test:abc", "http://[::1", "http://:3128"]
)
def test_a_proxy_that_is_no_address_is_refused(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"\bproxy\b"):
        server_of("https://x.test", proxy=proxy)


@pytest.mark.parametrize("base_url", ["http://x.test:99999/v1", "http://x.test:a/v1", "http://[::"])
def test_a_transport_names_the_base_url_that_cannot_be_used(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        HttpTransport(base_url=base_url)


def test_no_packing_of_answers_is_asked_for() -> None:
    assert headers_of(None, form="openai")["accept-encoding"] == "identity"
