"""The web process: the API and the pages for people. `app.web.application` builds it."""
