// Where the page of a thing is that the audit log or an event names.

import { to } from "../routes.js";

const PLACES = {
  session: (id) => to("/sessions/{id}", { id }),
  workspace: (id) => to("/workspaces/{id}", { id }),
  job: (id) => to("/jobs/{id}", { id }),
  api_key: () => to("/keys"),
  ssh_key: () => to("/keys", {}, { tab: "ssh" }),
  service_account: (id) => to("/keys", {}, { tab: "service", id }),
  account_member: () => to("/members"),
  account: () => to("/billing"),
  webhook: () => to("/webhooks"),
  assistant: (id) => to("/assistants/{id}", { id }),
  assistant_credential: () => to("/assistants"),
};

/** The types of resources that have a place. */
export const TYPES = Object.keys(PLACES);

/** The address of the page about a resource ({resource_type, resource_id}), or null; where it is deleted, that page says so. */
export function placeOf(one) {
  return PLACES[one.resource_type]?.(one.resource_id) ?? null;
}
