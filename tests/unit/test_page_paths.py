import pytest

from app.web.page_paths import is_page_path, own_path


@pytest.mark.parametrize(
    "path",
    ["/dashboard", "/dashboard?project=1&range=7d", "/dashboard/prompts/x?y=%2F%2F", "/account", "/dashboard/../x"],
)
def test_it_leads_on_to_our_own_pages(path: str):
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "/",
        "dashboard",
        "//dashboard",
        "///dashboard",
        "/\\dashboard",
        "/dashboard\\@evil.example",
        "\\dashboard",
        "https://evil.example/dashboard",
        "javascript:alert(1)",
        "/dashboardx",
        "/dashboard@evil.example",
        "/dashboard\r\nSet-Cookie: x=y",
        "/dashboard\n",
        "/dashboard\t",
        " /dashboard",
        "/dashboard?\x00",
        "/dashboard?é",
        "/dashboard?" + "x" * 2_000,
        "/login",
        "/api/v1/prompts/analytics",
    ],
)
def test_it_leads_nowhere_else(path: str | None):
    assert own_path(path) == "/dashboard"


@pytest.mark.parametrize(
    ("path", "is_page"), [("/", True), ("/dashboard/x", True), ("/api/v1/x", False), ("/x", False)]
)
def test_it_knows_the_pages(path: str, is_page: bool):
    assert is_page_path(path) == is_page
