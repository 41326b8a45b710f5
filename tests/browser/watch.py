"""What must not happen in a page: errors, violations of the content security policy, requests to other hosts."""

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Request, Response, WebError

# A page that is left lets go of what it was still loading.
LEFT = "net::ERR_ABORTED"
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`violates ${event.effectiveDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


class Watch:
    """Notes the problems of all pages of a context, except those that have the expected words in them."""

    def __init__(self, context: BrowserContext, base_url: str, *, expected: str | None) -> None:
        self.problems: list[str] = []
        self._base_url = base_url
        self._expected = expected
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("dialog", self._on_dialog)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failure)
        context.on("response", self._on_response)

    def _note(self, problem: str) -> None:
        if self._expected is None or self._expected not in problem:
            self.problems.append(problem)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(f"console {message.type}: {message.text} ({message.location['url']})")

    def _on_error(self, error: WebError) -> None:
        self._note(f"error: {error.error}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._base_url}/", "data:", "blob:")):
            self._note(f"request to another host: {request.url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != LEFT:
            self._note(f"failed: {request.url} {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self._note(f"answer {response.status}: {response.url}")
