"""Money and time: what is metered, charged and limited, and a clock that nobody looks at."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "meter-not-counting",
    "The time that sessions run is not counted.",
    edit("usage:opened", "await _open(tx", "assert (tx"),
    "usage.another-plan-meters-from-then-on",
)
defect(
    "meter-counts-on",
    "A session that has ended goes on being counted.",
    edit("lifecycle:Lifecycle._end", "await usage.closed(tx, fresh, now)", "pass"),
    "billing usage plans",
)
defect(
    "meter-in-minutes",
    "Time is counted in whole minutes.",
    edit(
        "store.usage:window",
        "coalesce(sum({seconds}), 0) AS seconds",
        "coalesce(sum({seconds}), 0) / 60 * 60 AS seconds",
    ),
    "usage.sessions-are-metered-by-the-second",
)
defect(
    "meter-of-everybody",
    "My usage counts the sessions of somebody else.",
    edit("store.usage:window", "WHERE account_id = ?3 AND", "WHERE (account_id = ?3 OR true) AND"),
    "usage.usage-is-of-the-account",
)
defect(
    "window-of-day-is-month",
    "The usage of a day is that of a month.",
    edit("billing:summary", "_window(tx, account_id, _DAY, now)", "_window(tx, account_id, 30 * _DAY, now)"),
    "usage.windows-end-now",
)
defect(
    "window-of-month-is-week",
    "The usage of a month is that of a week.",
    edit("billing:summary", "30 * _DAY", "7 * _DAY"),
    "billing usage plans",
)
defect(
    "window-not-cut",
    "The usage of a day counts what was before it.",
    edit("store.usage:window", 'start="max(started_at, ?1)"', 'start="started_at"'),
    "usage.windows-end-now",
)
defect(
    "price-double",
    "An hour costs twice as much as the price says.",
    edit("store.usage:window", "* price_micros_per_hour), 0) / 3600", "* price_micros_per_hour), 0) / 1800"),
    "usage.subscriptions-are-metered-but-not-charged",
)
defect(
    "price-rounded-up",
    "Every amount is a little too much.",
    edit("store.usage:window", "/ 3600 AS amount", "/ 3600 + 1 AS amount"),
    "usage.sessions-are-metered-by-the-second",
)
defect(
    "price-shown-wrong",
    "The price of an hour is that of a minute.",
    edit("billing:summary", "plan.price_micros_per_hour / _MICROS", "plan.price_micros_per_hour / 60 / _MICROS"),
    "billing.a-plan-is-changed-at-once",
)
defect(
    "free-plan-costs",
    "On the free plan sessions cost.",
    edit("plans:Plan.price_micros_per_hour", "0 if self.pricing_model == FREE else ", ""),
    "usage.free-sessions-cost-nothing",
)
defect(
    "wallet-not-charged",
    "A wallet pays for nothing.",
    edit("usage:standing", "balance - charged, owed", "balance, owed"),
    "usage.the-wallet-pays-by-the-second",
)
defect(
    "wallet-charged-twice",
    "A wallet pays twice when I look at it twice.",
    edit("usage:standing", "await segments.note_charged(tx, account_id, until)", "pass"),
    "usage.the-wallet-pays-by-the-second",
)
defect(
    "wallet-loses-fractions",
    "A wallet pays a little less each time somebody looks.",
    edit("usage:standing", "balance - charged, owed", "balance - charged, 0"),
    "usage.fractions-are-not-lost-by-looking",
)
defect(
    "wallet-below-zero",
    "A wallet falls below zero.",
    edit("usage:standing", "until = micros(now) if dry is None else min(dry, micros(now))", "until = micros(now)"),
    "usage.a-wallet-that-runs-dry-ends-sessions",
)
defect(
    "wallet-empty-runs-on",
    "Sessions run on when the wallet is empty.",
    edit("wallets:Wallets.perform", "return [started for", "return [] and [started for"),
    "usage.a-wallet-that-runs-dry-ends-sessions",
)
defect(
    "wallet-empty-creates",
    "With an empty wallet I can create sessions.",
    edit("usage:require_money", "account.wallet_micros_usd <= 0", "False"),
    "billing.an-empty-wallet-starts-nothing",
)
defect(
    "wallet-empty-code",
    "An empty wallet is a limit of the plan.",
    edit("usage:require_money", '"payment_required"', '"plan_limit_exceeded"'),
    "billing.an-empty-wallet-starts-nothing",
)
defect(
    "subscription-pays-from-wallet",
    "A subscription pays from its wallet.",
    edit("plans:Plan.from_wallet", "self.pricing_model == USAGE_BASED", "self.pricing_model != FREE"),
    "usage.subscriptions-are-metered-but-not-charged",
)
defect(
    "plan-change-lost",
    "Changing the plan changes nothing.",
    edit("handlers.billing:update_billing_account", "await billing.change_plan(tx, account_id, after, now)", "pass"),
    "billing.plans-are-of-one-account",
)
defect(
    "plan-answer-is-old",
    "Changing the plan answers with the old one.",
    edit(
        "handlers.billing:update_billing_account",
        "        await billing.change_plan(tx, account_id, after, now)\n        data = await billing.summary(tx, account_id, now, holding, call.world.settings.max_sessions)",
        "        data = await billing.summary(tx, account_id, now, holding, call.world.settings.max_sessions)\n        await billing.change_plan(tx, account_id, after, now)",
    ),
    "billing.a-plan-is-changed-at-once",
)
defect(
    "plan-default-subscription",
    "A subscription without a plan is for a team.",
    edit("handlers.billing:_wanted", "PLANS[DEFAULT_SUBSCRIPTION]", 'PLANS["team"]'),
    "billing.a-plan-is-changed-at-once",
)
defect(
    "plan-of-empty-request",
    "An empty change of the plan puts me on the free one.",
    edit("handlers.billing:_wanted", "PLANS[model] if model else now", 'PLANS[model or "free"]'),
    "billing.a-plan-is-changed-at-once",
)
defect(
    "plan-code-of-free",
    "The free plan has the code `free` where there should be none.",
    edit("billing:summary", "plan.code if plan.subscribed else None", "plan.code"),
    "billing.a-free-account-has-no-workspaces",
)
defect(
    "plan-prices-old-time",
    "Time before a change of the plan is priced by the new one.",
    edit(
        "usage:change_plan",
        "metered = await segments.close_account(tx, account_id, micros(now))",
        "metered = set[str]()\n    await tx.run('UPDATE usage SET price_micros_per_hour = ? WHERE account_id = ?', plan.price_micros_per_hour, account_id)",
    ),
    "billing.a-free-account-has-no-workspaces",
)
defect(
    "limits-of-another-plan",
    "The limits that are shown are not those that count.",
    edit("billing:summary", "max_workspaces=plan.max_workspaces", "max_workspaces=plan.max_workspaces + 1"),
    "billing usage plans sessions workspaces",
)
defect(
    "limits-session-seconds",
    "The longest time of a session is shown in minutes.",
    edit(
        "billing:summary",
        "max_session_seconds=plan.max_session_seconds",
        "max_session_seconds=plan.max_session_seconds // 60",
    ),
    "billing.a-plan-is-changed-at-once",
)
defect(
    "storage-not-counted",
    "What files take is not counted.",
    edit("billing:summary", "holding.used", "0"),
    "billing usage plans",
)
defect(
    "storage-without-snapshots",
    "What snapshots take is not counted.",
    edit("storage:Storage.holding", " + await snapshots.used_bytes(self._store, account_id)", ""),
    "disks.storage-is-what-they-hold",
)
defect(
    "checkout-minimum",
    "A top-up without an amount is for nothing.",
    edit(
        "handlers.billing:create_billing_checkout",
        "TOPUP_MIN_MICROS_USD if dollars is None else",
        "0 if dollars is None else",
    ),
    "billing.an-empty-wallet-starts-nothing",
)
defect(
    "checkout-rounding",
    "A top-up of 10.29 dollars is one of 10.28.",
    edit(
        "billing:micros_of",
        "int((Decimal(str(dollars)) * _MICROS).quantize(Decimal(1), ROUND_HALF_UP))",
        "int(dollars * 100) * 10_000",
    ),
    "billing.a-top-up-is-added-when-it-is-paid",
)
defect(
    "checkout-pays-twice",
    "Paying twice counts twice.",
    edit("billing:complete", "if first and outcome == rows.PAID:", "if outcome == rows.PAID:"),
    "billing.a-top-up-is-added-when-it-is-paid",
)
defect(
    "checkout-customer-each-time",
    "Each payment has another customer.",
    edit("handlers.billing:create_billing_checkout", "if customer is None:", "if True:"),
    "billing.a-top-up-is-added-when-it-is-paid",
)
defect(
    "checkout-url-of-another",
    "The address of a payment leads nowhere.",
    edit(
        "handlers.billing:create_billing_checkout",
        "/_emulator/checkout/{row['id']}",
        "/_emulator/checkout/{account_id}",
    ),
    "billing.an-empty-wallet-starts-nothing",
)
defect(
    "topup-lost",
    "A top-up that was paid is not in the wallet.",
    edit("store.billing:add_to_wallet", "wallet_micros_usd + ?", "wallet_micros_usd + 0 * ?"),
    "billing.an-empty-wallet-starts-nothing",
)
defect(
    "subscription-lost",
    "A subscription that was paid is not there.",
    edit(
        "billing:_credit",
        'if checkout["mode"] == SUBSCRIPTION:',
        'if checkout["mode"] == "none":',
        ('checkout["amount_micros"])', 'checkout["amount_micros"] or 0)'),
    ),
    "billing.a-subscription-begins-when-it-is-paid",
)
defect(
    "clock-ignored",
    "Everything happens on the clock of the machine.",
    edit("clock:Clock.now", "self._last += _TICK", "self._last = datetime.now(UTC)"),
    "billing usage plans plan-time session-lifecycle workspace-lifecycle tokens sign-ins",
)
defect(
    "clock-does-not-move",
    "Moving the clock on does nothing.",
    edit("clock:Clock.move", "self._last = to", "pass"),
    "keys.uses-are-noted",
)
defect(
    "clock-skips-what-is-due",
    "Moving the clock on does not do what falls due on the way.",
    edit(
        "agenda:Agenda._advance",
        "due = [(moment, duty) for moment, duty in moments if moment <= to]",
        "due = [(moment, duty) for moment, duty in moments if False]",
    ),
    "job-times.jobs-run-in-the-order-of-their-times",
)
defect(
    "rate-not-counted",
    "The number of requests that are left does not fall.",
    edit("meter:Meter.take", "bucket.append(now)", "pass"),
    "limits.a-minute-takes-six-hundred-of-a-caller",
)
defect(
    "rate-one-more",
    "One request more than the limit is let through.",
    edit("meter:Meter.take", "len(bucket) >= limit", "len(bucket) > limit"),
    "limits.a-refused-request-has-no-effect",
)
defect(
    "rate-refused-counted",
    "Refused requests count as well.",
    edit("meter:Meter.take", "if not full and limits.enabled:", "if limits.enabled:"),
    "limits.the-window-slides",
)
defect(
    "rate-remaining-one-more",
    "One request more is said to be left than there is.",
    edit(
        "meter:Meter._reading", "remaining = max(0, limit - len(bucket))", "remaining = max(0, limit - len(bucket) + 1)"
    ),
    "limits.what-is-left-is-counted-down-and-then-refused",
)
defect(
    "rate-reset-relative",
    "The reset of the limit is in seconds from now.",
    edit(
        "meter:Meter._reading",
        "reset = math.ceil(bucket[-1] + window) if bucket else math.ceil(now)",
        "reset = math.ceil(window)",
    ),
    "limits.a-minute-takes-six-hundred-of-a-caller",
)
defect(
    "rate-reset-of-oldest",
    "The limit is said to be whole again before it is.",
    edit("meter:Meter._reading", "math.ceil(bucket[-1] + window)", "math.ceil(bucket[0] + window)"),
    "limits.the-window-slides",
)
defect(
    "rate-retry-after-one",
    "Retry-After is always a second.",
    edit("meter:Meter._reading", "max(1, math.ceil(oldest + window - now))", "1"),
    "limits.what-is-left-is-counted-down-and-then-refused",
)
defect(
    "rate-retry-after-missing",
    "A 429 does not say when to come again.",
    edit(
        "pipeline:Pipeline.perform",
        "for name, value in limits.items():",
        "for name, value in limits.items() if response.status_code != 429 else ():",
    ),
    "limits.what-is-left-is-counted-down-and-then-refused",
)
defect(
    "rate-window-fixed",
    "The window of the limit begins anew with each request.",
    edit("meter:Meter._bucket", "bucket[0] <= since", "bucket[-1] <= since"),
    "limits.the-window-slides",
)
defect(
    "rate-scope-wrong",
    "The limit is always said to be the account's.",
    edit("meter:Reading.headers", '"X-RateLimit-Scope": self.scope', '"X-RateLimit-Scope": "account"'),
    "limits.a-minute-takes-six-hundred-of-a-caller",
)
defect(
    "rate-shared-by-surfaces",
    "Requests of one kind use up those of another.",
    edit("meter:Meter._bucket", "(surface, scope, name)", '("all", scope, name)'),
    "limits.a-minute-takes-six-hundred-of-a-caller",
)
defect(
    "rate-headers-missing",
    "Answers do not say how many requests are left.",
    edit("pipeline:Pipeline.perform", "for name, value in limits.items():", "for name, value in ():"),
    "limits.a-minute-takes-six-hundred-of-a-caller",
)
defect(
    "rate-on-machine-clock",
    "The limit goes by the clock of the machine.",
    edit("pipeline:Pipeline._admit", "now = world.clock.now().timestamp()", "now = None"),
    "limits.what-is-left-is-counted-down-and-then-refused",
)
defect(
    "rate-of-refused-untold",
    "A refusal does not say how many requests are left.",
    edit(
        "pipeline:Pipeline.perform",
        "for name, value in limits.items():",
        "for name, value in limits.items() if response.status_code < 400 else ():",
    ),
    "limits.what-is-left-is-counted-down-and-then-refused",
)
defect(
    "rate-code",
    "Too many requests have another code.",
    edit("pipeline:Pipeline._admit", '"rate_limited", f', '"plan_limit_exceeded", f'),
    "limits.a-refused-request-has-no-effect",
)
