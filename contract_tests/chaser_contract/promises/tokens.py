"""Tokens: registering and signing in by password, and what an access token is, says and is good for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from chaser_contract.arranging import Arranged
from chaser_contract.client import Answer
from chaser_contract.making import world
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PASSWORD

DAY = 24 * 3600


def part(text: str) -> Any:
    """The JSON in a part of a token."""
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def packed(value: Any) -> str:
    """JSON as a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def address(chaser: Subject) -> str:
    return f"{chaser.name('user')}@example.com"


def signed_in(answer: Answer, email: str) -> dict[str, Any]:
    """What who has signed in is told (T1), already looked at."""
    told = answer.must_be(200).json
    answer.require(
        set(told) == {"access_token", "token_type", "expires_in", "user"}, "a sign-in answers these four fields"
    )
    kind = told["token_type"]
    answer.require(kind == "Bearer", "the type of a token is Bearer", f"it is {kind}")
    answer.require(told["expires_in"] == DAY, "a token is good for 24 hours", f"it is {told['expires_in']} s")
    answer.require(told["user"]["email"].lower() == email.lower(), "the user has the address that signed in")
    answer.require("set-cookie" not in answer.headers, "no route of auth sets a cookie")
    answer.require(
        not any(one.startswith("x-ratelimit") for one in answer.headers), "routes of auth have no rate limit"
    )
    return dict(told)


@promise()
def who_registers_is_signed_in_on_the_free_plan(chaser: Subject) -> None:
    """Registering makes a user with a personal account on the free plan, and answers as a sign-in does."""
    email = address(chaser)
    answer = chaser.nobody.ask("register", json={"email": email, "password": PASSWORD, "name": "  Ada  "})
    told = signed_in(answer, email)
    answer.require(told["user"]["name"] == "Ada", "the name is the one that was given, trimmed", f"{told['user']}")
    user = chaser.as_(told["access_token"])
    me = user.ask("get-me", expect=200)
    me.require(me.json["user"] == told["user"], "get-me answers the user who signed in")
    me.require([one["personal"] for one in me.json["accounts"]] == [True], "a new user has a personal account alone")
    account = user.ask("get-current-account", expect=200).json["account"]
    me.require(me.json["accounts"] == [account], "get-me answers the user's accounts")
    me.require(
        (account["role"], account["kind"]) == ("owner", "personal"), "it is a personal account, whose owner they are"
    )
    summary = user.ask("get-billing-summary", expect=200)
    summary.require(summary.json["pricing_model"] == "free", "who registers starts on the free plan")
    with chaser.case():
        again = chaser.nobody.ask("login", json={"email": email, "password": PASSWORD})
        other = signed_in(again, email)
        again.require(other["user"] == told["user"], "who signs in is the user who registered")
        again.require(other["access_token"] != told["access_token"], "each sign-in gives a token of its own")
        for token in (other["access_token"], told["access_token"]):
            chaser.as_(token).ask("get-me", expect=200)


@promise()
def an_address_registers_once(chaser: Subject) -> None:
    """An address that is taken is 409 already_exists, in any case, and keeps its password."""
    email = address(chaser)
    chaser.nobody.ask("register", json={"email": email, "password": PASSWORD}, expect=200)
    for again in (email, email.upper(), email.title()):
        with chaser.case():
            answer = chaser.nobody.ask("register", json={"email": again, "password": "another password"})
            answer.must_be(409, "already_exists", because="to an address that is taken")
    with chaser.case():
        chaser.nobody.ask("login", json={"email": email, "password": PASSWORD}, expect=200)
    with chaser.case():
        answer = chaser.nobody.ask("login", json={"email": email.upper(), "password": PASSWORD})
        answer.must_be(200, because="to the address in other letters")


@promise("emulator")
def who_holds_a_key_is_registered(chaser: Subject) -> None:
    """The address of somebody who holds a key is taken, though they have never signed in: 409 already_exists."""
    mail = chaser.ask("get-me", expect=200).json["user"]["email"]
    for again in (mail, mail.upper()):
        with chaser.case():
            body = {"email": again, "password": PASSWORD}
            answer = chaser.nobody.ask("register", json=body, headers=world(chaser))
            answer.must_be(409, "already_exists", because="to the address of who holds a key")


@promise()
def a_password_has_eight_to_128_characters(chaser: Subject) -> None:
    """A password of 8 to 128 characters is taken, and a shorter or longer one is 400, as is what is no address."""
    for password, status in (("a" * 7, 400), ("a" * 8, 200), ("ä" * 128, 200), ("a" * 129, 400), ("", 400)):
        with chaser.case():
            email = address(chaser)
            answer = chaser.nobody.ask("register", json={"email": email, "password": password})
            answer.must_be(status, because=f"to a password of {len(password)} characters")
            if status == 200:
                chaser.nobody.ask("login", json={"email": email, "password": password}, expect=200)
    for email in ("", "nobody", "@example.com", "a@", "a b@example.com", "a@b@example.com", f"{'a' * 300}@example.com"):
        with chaser.case():
            answer = chaser.nobody.ask("register", json={"email": email, "password": PASSWORD})
            answer.must_be(400, "invalid_request", because=f"to the address {email[:40]!r}")


@promise()
def a_wrong_password_and_an_unknown_address_look_alike(chaser: Subject) -> None:
    """Signing in with a wrong password or an unknown address is 401 invalid_credentials, in the same words."""
    email = address(chaser)
    chaser.nobody.ask("register", json={"email": email, "password": PASSWORD}, expect=200)
    words: set[str] = set()
    for who, password in (
        (email, "wrong password"), (email, PASSWORD.upper()), (email, f"{PASSWORD} "), (email, f" {PASSWORD}"),
        (email, PASSWORD[:-1]), (address(chaser), PASSWORD), (email, ""),
    ):  # fmt: skip
        with chaser.case():
            answer = chaser.nobody.ask("login", json={"email": who, "password": password})
            answer.must_be(401, "invalid_credentials", because="to a password that does not belong to the address")
            words.add(answer.json["message"])
            answer.require(len(words) == 1, "a wrong password is refused in the words for an unknown address")


@promise()
def whom_an_organization_added_registers_into_it(chaser: Subject) -> None:
    """Who was added by address before they came registers with it, and is a member from the start."""
    arranged = Arranged(chaser)
    email = address(chaser)
    body = {"email": email, "role": "admin"}
    added = arranged.in_organization.ask("add-current-member", json=body, expect=200).json["member"]
    answer = chaser.nobody.ask("register", json={"email": email, "password": PASSWORD})
    told = signed_in(answer, email)
    answer.require(told["user"]["id"] == added["user_id"], "who registers is the user who was added")
    user = chaser.as_(told["access_token"], account=arranged.organization)
    account = user.ask("get-current-account", expect=200)
    account.require(account.json["account"]["role"] == "admin", "who was added has the role from the start")


@promise()
def a_token_says_whose_it_is_and_until_when(chaser: Subject) -> None:
    """An access token is a JWT by HS256 with sub, email, iat, exp, iss and jti, good for exactly 24 hours."""
    tokens = []
    for _ in range(2):
        user = Arranged(chaser).new_user()
        head, claims, _ = user["access_token"].split(".")
        told = part(claims)
        require = chaser.require
        require(part(head)["alg"] == "HS256", "login: a token is signed by HS256", f"{part(head)}")
        names = {"sub", "email", "iat", "exp", "iss", "jti"}
        require(names <= set(told), "login: a token has sub, email, iat, exp, iss and jti", f"{sorted(told)}")
        require(told["sub"] == user["user"]["id"], "login: `sub` is the user", f"{told['sub']}")
        require(told["email"] == user["user"]["email"], "login: `email` is the user's", f"{told['email']}")
        require(
            told["exp"] - told["iat"] == DAY, "login: `exp` is 24 hours after `iat`", f"{told['exp'] - told['iat']} s"
        )
        if chaser.emulator is not None:
            off = abs(chaser.steered.clock.now.timestamp() - told["iat"])
            require(off < 60, "login: `iat` is now, on the emulator's clock", f"{off} s off")
        tokens.append(told)
    chaser.require(tokens[0]["jti"] != tokens[1]["jti"], "login: each token has a `jti` of its own", tokens[0]["jti"])
    chaser.require(tokens[0]["iss"] == tokens[1]["iss"], "login: all tokens have one issuer", str(tokens))


@promise("emulator")
def a_token_ends_on_the_emulators_clock(chaser: Subject) -> None:
    """A token lets its user in up to the last second of its 24 hours on the emulator's clock, and then nobody."""
    clock = chaser.steered.clock
    clock.freeze()
    user = Arranged(chaser).new_user()
    client, told = chaser.as_(user["access_token"]), part(user["access_token"].split(".")[1])
    asked = ("get-me", "list-sessions", "get-current-account")
    for seconds in (0, DAY // 2, DAY - 2):
        clock.advance(max(0, told["iat"] + seconds - clock.now.timestamp()))
        for operation in asked:
            with chaser.case():
                client.ask(operation).must_be(200, because=f"{seconds} s after the sign-in")
    clock.advance(told["exp"] + 1 - clock.now.timestamp())
    for operation in asked:
        with chaser.case():
            client.ask(operation).must_be(401, "unauthorized", because="once 24 hours are over")
    with chaser.case():
        answer = chaser.nobody.ask("login", json={"email": user["email"], "password": PASSWORD})
        chaser.as_(signed_in(answer, user["email"])["access_token"]).ask("get-me", expect=200)
    # A key does not end.
    chaser.ask("get-me", expect=200)


@promise()
def a_token_that_was_changed_lets_nobody_in(chaser: Subject) -> None:
    """A token that was tampered with, is signed by somebody else, or by nobody, is 401 like every bad credential."""
    arranged = Arranged(chaser)
    one, other = arranged.new_user()["access_token"], arranged.new_user()["access_token"]
    head, claims, signature = one.split(".")
    header, told = part(head), part(claims)

    def by(key: bytes, header: dict[str, Any], claims: Any, name: str = "sha256") -> str:
        signed = f"{packed(header)}.{packed(claims)}"
        digest = hmac.new(key, signed.encode(), name).digest()
        return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    flipped = signature[:5] + ("A" if signature[5] != "A" else "B") + signature[6:]
    changed = {
        "with another signature": f"{head}.{claims}.{flipped}",
        "with the signature of another": f"{head}.{claims}.{other.split('.')[2]}",
        "with the claims of another": f"{head}.{other.split('.')[1]}.{signature}",
        "with a later end": f"{head}.{packed({**told, 'exp': told['exp'] + DAY})}.{signature}",
        "of another user": f"{head}.{packed({**told, 'sub': part(other.split('.')[1])['sub']})}.{signature}",
        "without a signature": f"{head}.{claims}.",
        "of two parts": f"{head}.{claims}",
        "of four parts": f"{one}.{signature}",
        "by nobody": f"{packed({**header, 'alg': 'none'})}.{claims}.",
        "by nobody, with a signature": f"{packed({**header, 'alg': 'none'})}.{claims}.{signature}",
        "of another algorithm": f"{packed({**header, 'alg': 'HS512'})}.{claims}.{signature}",
        "signed with an empty key": by(b"", header, told),
        "signed with a guess": by(b"secret", header, told),
        "signed with its issuer": by(str(told["iss"]).encode(), header, told),
        "signed by a hash of its own": by(hashlib.sha256(head.encode()).digest(), header, told),
        "cut off": one[:-2],
        "without claims": f"{head}..{signature}",
    }
    for what, token in changed.items():
        with chaser.case():
            answer = chaser.as_(token).ask("get-me")
            answer.must_be(401, "unauthorized", because=f"to a token {what}")
    chaser.as_(one).ask("get-me", expect=200)


@promise()
def a_token_acts_as_a_key_does(chaser: Subject) -> None:
    """An access token is accepted wherever an API key is, with full access, in whichever account of its user."""
    arranged = Arranged(chaser)
    owner = arranged.new_person("owner")
    theirs = Arranged(chaser, owner)
    for asking in theirs.every(lambda one: one.secured):
        with chaser.case():
            asking.by(owner).must_be(asking.status, asking.code, because="to an access token")


@promise()
def who_one_is_is_told_to_people(chaser: Subject) -> None:
    """get-me answers the same user to keys and sign-ins, with every account of theirs; a service account is 403."""
    arranged = Arranged(chaser)
    arranged.organization  # noqa: B018 - so that there are two accounts
    told = chaser.ask("get-me", expect=200)
    key = chaser.as_(arranged.new_key()["key"])
    with chaser.case():
        other = key.ask("get-me", expect=200)
        other.require(other.json == told.json, "get-me answers the same to a key of the user")
    with chaser.case():
        accounts = chaser.ask("list-accounts", expect=200).json["accounts"]
        told.require(told.json["accounts"] == accounts, "get-me has the accounts that list-accounts has")
        told.require(len(accounts) >= 2, "get-me has every account of the user")
    with chaser.case():
        robot = chaser.as_(arranged.new_service_account_key()["key"])
        robot.ask("get-me").must_be(403, "forbidden", because="to a service account")
