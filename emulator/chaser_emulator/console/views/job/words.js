// What a job is about, in a few words.

import { counted } from "../../format.js";

const TELLING = ["command", "cmd", "url", "repo", "workspace", "workspace_id", "session_id"];

/** The command, address, repository or thing that a job names first. */
export function subjectOf(job) {
  const input = job.input ?? {};
  if (Array.isArray(input.steps)) {
    const many = counted(input.steps.length, "step");
    const where = input.workspace ?? input.session_id;
    return where ? `${many} on ${where}` : many;
  }
  const found = TELLING.map((name) => input[name]).find((one) => typeof one === "string");
  if (found) return found;
  return input.all ? "all" : "";
}

/** The session that a job worked in or on, or null. */
export const sessionOf = (job) => textAt(job.result, "session_id") ?? textAt(job.input, "session_id");

/** The workspace that a job worked on, or null: only an id leads anywhere. */
export const workspaceOf = (job) => textAt(job.result, "workspace_id");

function textAt(value, name) {
  const found = value && typeof value === "object" ? value[name] : null;
  return typeof found === "string" ? found : null;
}
