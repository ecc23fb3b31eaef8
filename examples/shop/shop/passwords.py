"""Password hashing: PBKDF2 with the number of rounds that OWASP recommends."""

import hashlib
import hmac

ALGORITHM = "pbkdf2_sha256"
ROUNDS = 600_000


def hash_password(password: str, *, salt: str, rounds: int = ROUNDS) -> str:
    """Return the form that is stored: algorithm, rounds, salt and digest."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), rounds)
    return f"{ALGORITHM}${rounds}${salt}${digest.hex()}"


def verify_password(password: str, *, stored: str) -> bool:
    """Compare in constant time."""
    _, rounds, salt, _ = stored.split("$")
    candidate = hash_password(password, salt=salt, rounds=int(rounds))
    return hmac.compare_digest(candidate, stored)
