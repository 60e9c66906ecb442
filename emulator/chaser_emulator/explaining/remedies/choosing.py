"""What to do about a refusal, by its code: another request, what is to be done before it, or why nothing helps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from chaser_emulator.explaining.remedies import admission, fields, limits, missing, names, states
from chaser_emulator.explaining.remedies.case import Case, Remedy

BY_CODE: Mapping[str, Callable[[Case], Awaitable[Remedy]]] = {
    "unauthorized": admission.unauthorized,
    "invalid_credentials": admission.invalid_credentials,
    "account_mismatch": admission.account_mismatch,
    "insufficient_scope": admission.insufficient_scope,
    "forbidden": admission.forbidden,
    "rate_limited": admission.rate_limited,
    "not_found": missing.not_found,
    "method_not_allowed": missing.method_not_allowed,
    "invalid_request": fields.invalid_request,
    "invalid_json": fields.by_the_document,
    "unsupported_media_type": fields.by_the_document,
    "unknown_scope": fields.by_the_document,
    "unknown_event": fields.by_the_document,
    "unknown_job_kind": fields.by_the_document,
    "payload_too_large": fields.payload_too_large,
    "session_leased": states.session_leased,
    "workspace_active": states.workspace_active,
    "not_running": states.not_running,
    "not_a_sandbox": states.another_session,
    "not_a_browser": states.another_session,
    "invalid_state": states.invalid_state,
    "last_owner": states.last_owner,
    "name_taken": names.name_taken,
    "already_exists": names.already_exists,
    "conflict": names.conflict,
    "idempotency_conflict": names.idempotency_conflict,
    "payment_required": limits.payment_required,
    "plan_limit_exceeded": limits.plan_limit_exceeded,
    "storage_limit_exceeded": limits.storage_limit_exceeded,
    "sandbox_unavailable": states.unavailable,
    "bad_gateway": states.unavailable,
    "gateway_timeout": states.unavailable,
}


async def remedy(case: Case) -> Remedy:
    """The nearest request that passes, as far as one can be had."""
    known = BY_CODE.get(case.error.code)
    if known is None:
        return Remedy(why_not="no other request helps: the emulator failed, and its log says why under the request id")
    return await known(case)
