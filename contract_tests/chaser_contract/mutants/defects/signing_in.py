"""Signing in: tokens that are good for too long or for nobody, passwords, and what others may not get."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "token-never-expires",
    "An access token is good for ever.",
    edit("tokens:Tokens.is_over", "self._clock.now().timestamp() >= token.expires_at", "False"),
    "tokens.a-token-ends-on-the-emulators-clock",
)
defect(
    "token-a-second-longer",
    "An access token is good for a second longer than it says.",
    edit("tokens:Tokens.is_over", ">= token.expires_at", ">= token.expires_at + 1"),
    "particulars.a-token-is-over-at-its-end",
)
defect(
    "token-for-an-hour",
    "An access token is good for an hour though it says a day.",
    edit("tokens:Tokens.issue", '"exp": now + LIFETIME', '"exp": now + 3600'),
    "tokens.a-token-says-whose-it-is-and-until-when",
)
defect(
    "token-expires-in-wrong",
    "The answer to a sign-in says another life of the token than it has.",
    edit("logins:signed_in", "expires_in=LIFETIME", "expires_in=3600"),
    "tokens sign-ins",
)
defect(
    "token-unsigned",
    "A token whose signature was changed is good.",
    edit(
        "tokens:Tokens.read",
        "claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims",
        "claims = json.loads(base64.urlsafe_b64decode(token.split('.')[1] + '=='))",
    ),
    "tokens.a-token-that-was-changed-lets-nobody-in",
)
defect(
    "token-alg-none",
    "A token without a signature is good.",
    edit(
        "tokens:Tokens.read",
        "    if _FORM.fullmatch(token) is None:\n        return None",
        "    parts = token.split('.')\n"
        "    if len(parts) == 3 and not parts[2]:\n"
        "        return AccessToken(json.loads(base64.urlsafe_b64decode(parts[1] + '=='))['sub'], 2**40)\n"
        "    if _FORM.fullmatch(token) is None:\n        return None",
    ),
    "tokens.a-token-that-was-changed-lets-nobody-in",
)
defect(
    "token-any-issuer",
    "A token of another issuer is good.",
    edit("tokens:Tokens.read", 'claims.get("iss") != _ISSUER or', ""),
    "tokens sign-ins",
    survives="Nobody but the emulator has the key that signs, so that no test can make such a token over the API.",
)
defect(
    "token-without-email",
    "An access token does not say whose it is.",
    edit("tokens:Tokens.issue", '"email": email,', ""),
    "tokens.a-token-says-whose-it-is-and-until-when",
)
defect(
    "token-issued-later",
    "An access token says that it was issued tomorrow.",
    edit("tokens:Tokens.issue", '"iat": now', '"iat": now + 86400'),
    "tokens.a-token-says-whose-it-is-and-until-when",
)
defect(
    "token-same-each-time",
    "Two sign-ins give tokens with the same id.",
    edit("tokens:Tokens.issue", '"jti": new_id()', '"jti": user_id'),
    "distinctions.two-sign-ins-are-two-tokens",
)
defect(
    "password-ignored",
    "Any password is right.",
    edit("passwords:Passwords._compare", "return False", "return True"),
    "tokens.a-wrong-password-and-an-unknown-address-look-alike",
)
defect(
    "password-of-unknown",
    "A sign-in tells an unknown address from a wrong password.",
    edit(
        "handlers.auth:login",
        "    if user is None or not right:",
        "    if user is None:\n        raise ApiError('invalid_credentials', 'there is no such user', headers={'WWW-Authenticate': 'Bearer'})\n    if not right:",
    ),
    "tokens.a-wrong-password-and-an-unknown-address-look-alike",
)
defect(
    "password-case",
    "Passwords ignore case.",
    edit(
        "passwords:Passwords._compare",
        "self._hasher.verify(hashed, password)",
        "self._hasher.verify(hashed, password.lower())",
    ),
    "tokens.a-wrong-password-and-an-unknown-address-look-alike",
)
defect(
    "password-code",
    "A wrong password has the code of an unknown key.",
    edit("handlers.auth:login", '"invalid_credentials"', '"unauthorized"'),
    "tokens.a-wrong-password-and-an-unknown-address-look-alike",
)
defect(
    "register-again",
    "An address that is registered can be registered again, with another password.",
    edit("handlers.auth:register", "if await rows.is_taken(tx, user_id):", "if False:"),
    "tokens.an-address-registers-once",
)
defect(
    "register-on-pro",
    "A new user is on the paid plan.",
    edit("handlers.auth:register", "plan=FREE", 'plan="pro"'),
    "tokens.who-registers-is-signed-in-on-the-free-plan",
)
defect(
    "register-name-lost",
    "A new user has no name.",
    edit("handlers.auth:register", '(call.body.get("name") or "").strip()', '""'),
    "tokens.who-registers-is-signed-in-on-the-free-plan",
)
defect(
    "token-in-query",
    "The token of a sign-in is in the query of the address, where servers log it.",
    edit("handlers.auth:_finish", "{redirect_uri}#{fragment}", "{redirect_uri}?{fragment}"),
    "sign-ins.a-browser-is-led-to-this-machine-alone",
)
defect(
    "state-used-twice",
    "A sign-in at a provider can be finished twice.",
    edit("store.logins:take", '"DELETE FROM logins WHERE', '"UPDATE logins SET state_hash = state_hash WHERE'),
    "sign-ins.a-state-works-once-and-with-its-own-code",
)
defect(
    "state-never-expires",
    "A sign-in at a provider can be finished tomorrow.",
    edit("store.logins:take", "AND expires_at > ?", "AND expires_at > substr(?, 1, 0)"),
    "sign-ins.a-state-lives-ten-minutes",
)
defect(
    "state-not-checked",
    "A sign-in with a state that nobody began succeeds.",
    edit("store.logins:take", "state_hash = ? AND", "(state_hash = ? OR true) AND"),
    "sign-ins.a-state-works-once-and-with-its-own-code",
)
defect(
    "code-not-checked",
    "A sign-in with a code that somebody made up succeeds.",
    edit("logins:_wrong", 'if not login["code_hash"] or not hmac', "if False and not hmac"),
    "sign-ins.a-state-works-once-and-with-its-own-code",
)
defect(
    "verifier-not-checked",
    "A sign-in with another verifier succeeds.",
    edit("logins:_wrong", "not hmac.compare_digest(given, verifier)", "False"),
    "sign-ins.a-codex-login-is-finished-once-by-its-code-and-verifier",
)
defect(
    "turned-down-is-in",
    "A sign-in that was turned down succeeds.",
    edit(
        "logins:_wrong",
        'if "error" in returned:',
        "if False:",
        ('if not login["code_hash"] or not hmac', "if False and not hmac"),
        ("if not hmac.compare_digest(challenge_of", "if False and not hmac.compare_digest(challenge_of"),
    ),
    "sign-ins.a-state-works-once-and-with-its-own-code",
)
defect(
    "challenge-plain",
    "The challenge of a sign-in is the verifier itself.",
    edit(
        "logins:challenge_of",
        'base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode("ascii").rstrip("=")',
        "verifier",
    ),
    "sign-ins.a-codex-login-has-a-verifier-for-its-challenge",
)
defect(
    "codex-expiry",
    "A Codex connection is over when it begins.",
    edit("logins:finish_codex", "timestamp(now + CODEX_LIFETIME)", "timestamp(now)"),
    "sign-ins.a-codex-login-is-finished-once-by-its-code-and-verifier",
)
defect(
    "key-not-used",
    "The last use of a key is not noted.",
    edit("store.identity:touch_key", "SET last_used_at = ?", "SET last_used_at = nullif(?, '') AND NULL"),
    "keys.uses-are-noted",
)
