// Money and plans in words.

const MICROS = 1_000_000;

/** 0.05 -> "$0.05" */
export const dollars = (amount) =>
  `$${amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 6 })}`;

/** 1500000 -> "$1.50" */
export function micros(amount) {
  return `${amount < 0 ? "-" : ""}${dollars(Math.abs(amount) / MICROS)}`;
}

/** What people call the plan of a summary. */
export function planOf(summary) {
  return summary.plan_code ?? summary.pricing_model.replaceAll("_", " ");
}

/** The values that a schema names, whether it may be null or not. */
export function valuesOf(schema) {
  const all = [schema, ...(schema.anyOf ?? [])].flatMap((one) => one.enum ?? []);
  return all.filter((one) => one !== null);
}
