"""The platform's words for its error codes, in English as its messages have them."""

WORDS: dict[int, str] = {
    1240002: "Internal Server Error",
    1240003: "Bad Request",
    1241002: "Illegal parameter: operation_code",
    1241012: "Illegal parameter",
    1241003: "Unsupported operation",
    1241015: "The job has been started, do not start it again",
    1241005: "Illegal parameter",
    1241010: "Illegal parameter",
    1243001: "Script does not exist",
    1243009: "Job plan does not exist",
    1243051: "Resource scope does not exist",
    1244001: "Execute object is empty",
    1244006: "Task instance does not exist",
    1244007: "Task step instance does not exist",
    1244012: "Job plan does not exist",
    1244016: "You are not allowed to confirm this step",
    1244020: "The range of the query is too large",
    1244022: "The number of execute objects exceeds the limit",
    1244026: "Illegal rolling expression",
    1245001: "Cron job does not exist",
    1264001: "Only steps that run scripts or send files have a context",
    1264004: "The execute object of the task does not exist",
    1247403: "User has no access to the resource scope",
    9900403: "User permission not allowed, please apply for it in IAM and try again",
}


def words(code: int) -> str:
    """Return what the platform says beside a code."""
    return WORDS.get(code, f"Error {code}")
