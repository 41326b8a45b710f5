from app.core.errors import PromptAnalyticsError


class CannotRun(PromptAnalyticsError):
    """The message is the one line that a person on a terminal needs: what is wrong and what to do about it."""
